// A memory store whose commits, answers and rings happen as work of an executor, so that a test owns their order.
#ifndef KEYFERRY_SERVICES_API_TESTING_STEPPED_STORE_H_
#define KEYFERRY_SERVICES_API_TESTING_STEPPED_STORE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/common/executor.h"
#include "libs/storage/testing/memory_store.h"

namespace keyferry {

// Confined to one thread. The executor outlives it and its subscriptions.
class SteppedStore final : public Store {
 public:
  explicit SteppedStore(Executor& executor) : executor_(executor), rows_(NewMemoryStore()) {}

  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override { return rows_->AcquireWriter(lineage); }
  void CommitAsync(Commit commit, CommitDone done) override {
    executor_.Run([this, commit = std::move(commit), done = std::move(done)] {
      const absl::StatusOr<Revision> committed = dead ? absl::UnavailableError("crashed") : CommitAndWait(*rows_, commit);
      executor_.Run([done, committed] { done(committed); });
      if (committed.ok() && !deaf) RingAll();
    });
  }
  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override {
    if (damaged && damaged(key)) return absl::DataLossError("a damaged row");
    return rows_->Get(key);
  }
  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    absl::StatusOr<std::vector<KeyedRow>> rows = rows_->Scan(begin, end, limit);
    for (const KeyedRow& row : *rows) {
      if (damaged && damaged(row.key)) return absl::DataLossError("a damaged row");
    }
    return rows;
  }
  // Rings after every commit: spurious rings are allowed.
  std::unique_ptr<Subscription> Ring(const RowKey&, const std::string&, std::function<void()> ring) override {
    const int id = next_id_++;
    rings_[id] = std::move(ring);
    return std::make_unique<Bell>(*this, id);
  }
  Revision Head() const override { return head.value_or(rows_->Head()); }
  Revision Ceiling() const override { return rows_->Head(); }
  absl::Status Backup(const std::string&) override { return absl::UnimplementedError("no backup"); }
  absl::Status Purge(const std::vector<KeyRange>& ranges) override { return rows_->Purge(ranges); }

  // Nothing is written any more: the process has crashed, and what it still does is in vain.
  bool dead = false;
  // What Head answers: behind the rows, as in the moment in which a commit can be read and is not answered.
  std::optional<Revision> head;
  // Rings are lost: they are hints.
  bool deaf = false;
  // These rows do not open.
  std::function<bool(const RowKey&)> damaged;

  // Every row of a family, for oracles.
  std::vector<KeyedRow> AllOf(Family family) const { return *rows_->Scan(RowKey{family, ""}, "", 1'000'000); }

 private:
  class Bell final : public Subscription {
   public:
    Bell(SteppedStore& store, int id) : store_(store), id_(id) {}
    ~Bell() override { store_.rings_.erase(id_); }

   private:
    SteppedStore& store_;
    const int id_;
  };

  void RingAll() {
    for (const auto& [id, ring] : rings_) {
      executor_.Run([this, id = id] {
        if (const auto found = rings_.find(id); found != rings_.end()) found->second();
      });
    }
  }

  Executor& executor_;
  const std::unique_ptr<Store> rows_;
  std::map<int, std::function<void()>> rings_;
  int next_id_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_STEPPED_STORE_H_

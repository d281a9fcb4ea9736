// A store that lets a test act between a plan and its commit, or between two reads.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_TESTING_INTERRUPTING_STORE_H_
#define KEYFERRY_SERVICES_API_TESTING_INTERRUPTING_STORE_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "libs/storage/store.h"

namespace keyferry {

class InterruptingStore final : public Store {
 public:
  // Outlives it.
  explicit InterruptingStore(Store& beneath) : beneath_(beneath) {}

  // Runs once, when the next commit has arrived and before it is done, on the committing thread; may commit itself.
  void BeforeNextCommit(std::function<void()> act) {
    const std::lock_guard lock(mutex_);
    before_commit_ = std::move(act);
  }
  // Runs once, before the next row of this family is got, on the reading thread; may commit itself.
  void BeforeNextGetOf(Family family, std::function<void()> act) {
    const std::lock_guard lock(mutex_);
    get_family_ = family;
    before_get_ = std::move(act);
  }

  void CommitAsync(Commit commit, CommitDone done) override {
    if (const std::function<void()> act = TakeBeforeCommit()) act();
    beneath_.CommitAsync(std::move(commit), std::move(done));
  }
  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override {
    if (const std::function<void()> act = TakeBeforeGet(key)) act();
    return beneath_.Get(key);
  }

  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override { return beneath_.AcquireWriter(lineage); }
  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    return beneath_.Scan(begin, end, limit);
  }
  std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) override {
    return beneath_.Ring(begin, end, std::move(ring));
  }
  std::optional<Revision> RevisionInMemory(const RowKey& key) const override { return beneath_.RevisionInMemory(key); }
  Revision Head() const override { return beneath_.Head(); }
  Revision Ceiling() const override { return beneath_.Ceiling(); }
  absl::Status Backup(const std::string& directory) override { return beneath_.Backup(directory); }
  absl::Status Purge(const std::vector<KeyRange>& ranges) override { return beneath_.Purge(ranges); }

 private:
  std::function<void()> TakeBeforeCommit() {
    const std::lock_guard lock(mutex_);
    return std::exchange(before_commit_, nullptr);
  }
  std::function<void()> TakeBeforeGet(const RowKey& key) const {
    const std::lock_guard lock(mutex_);
    return key.family == get_family_ ? std::exchange(before_get_, nullptr) : nullptr;
  }

  Store& beneath_;
  mutable std::mutex mutex_;
  std::function<void()> before_commit_;
  Family get_family_ = Family::kMeta;
  mutable std::function<void()> before_get_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_INTERRUPTING_STORE_H_

#include "libs/storage/testing/memory_store.h"

#include <deque>
#include <map>
#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "libs/storage/commit_rules.h"
#include "libs/storage/rings.h"

namespace keyferry {
namespace {

class MemoryStore final : public Store {
 public:
  MemoryStore() : answering_([this] { AnswerUntilClosed(); }) {}

  ~MemoryStore() override {
    {
      absl::MutexLock lock(&mutex_);
      closed_ = true;
    }
    answering_.join();
  }

  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override {
    absl::MutexLock lock(&mutex_);
    ++term_;
    if (lineage == Lineage::kNext) head_ = WithLineage(head_, LineageOf(head_) + 1);
    return Term{.number = term_, .lineage = LineageOf(head_)};
  }

  void CommitAsync(Commit commit, CommitDone done) override {
    absl::MutexLock lock(&mutex_);
    std::vector<RowKey> written;
    absl::StatusOr<Revision> result = Apply(commit, written);
    answers_.push_back([this, result = std::move(result), written = std::move(written), done = std::move(done)] {
      done(result);
      rings_.RingFor(written);
    });
  }

  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override {
    absl::MutexLock lock(&mutex_);
    const auto found = rows_.find(key);
    return found == rows_.end() ? std::nullopt : std::optional<Row>(found->second);
  }

  std::optional<Revision> RevisionInMemory(const RowKey& key) const override {
    absl::MutexLock lock(&mutex_);
    const auto found = rows_.find(key);
    return found == rows_.end() ? 0 : found->second.revision;
  }

  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    absl::MutexLock lock(&mutex_);
    std::vector<KeyedRow> found;
    for (auto row = rows_.lower_bound(begin); row != rows_.end() && found.size() < limit; ++row) {
      if (row->first.family != begin.family || (!end.empty() && row->first.bytes >= end)) break;
      found.push_back({row->first, row->second});
    }
    return found;
  }

  std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) override {
    return rings_.Subscribe(begin, end, std::move(ring));
  }

  Revision Head() const override {
    absl::MutexLock lock(&mutex_);
    return head_;
  }

  absl::Status Backup(const std::string&) override { return absl::UnimplementedError("a memory store has no backup"); }
  // It has no files.
  absl::Status Purge(const std::vector<KeyRange>&) override { return absl::OkStatus(); }

 private:
  absl::StatusOr<Revision> Apply(const Commit& commit, std::vector<RowKey>& written)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (absl::Status form = CheckForm(commit); !form.ok()) return form;
    if (commit.term.number != term_) return StaleTerm(commit.term.number, term_);
    for (const Precondition& precondition : commit.preconditions) {
      const auto row = rows_.find(precondition.key);
      if ((row == rows_.end() ? 0 : row->second.revision) != precondition.revision) return Conflict(precondition.key);
    }
    ++head_;
    for (const Mutation& mutation : commit.mutations) {
      const RowKey key = StampedKey(mutation, head_);
      if (!mutation.keep_revision) written.push_back(key);
      if (mutation.value) {
        rows_[key] = Row{*mutation.value, RevisionAfter(commit, mutation, head_)};
      } else {
        rows_.erase(key);
      }
    }
    return head_;
  }

  void AnswerUntilClosed() {
    const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || !answers_.empty(); };
    while (true) {
      std::function<void()> answer;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(&ready));
        if (answers_.empty()) return;
        answer = std::move(answers_.front());
        answers_.pop_front();
      }
      answer();
    }
  }

  Rings rings_;
  mutable absl::Mutex mutex_;
  uint64_t term_ ABSL_GUARDED_BY(mutex_) = 0;
  Revision head_ ABSL_GUARDED_BY(mutex_) = kEmptyHead;
  std::map<RowKey, Row> rows_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> answers_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread answering_;
};

}  // namespace

std::unique_ptr<Store> NewMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace keyferry

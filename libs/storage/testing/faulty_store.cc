#include "libs/storage/testing/faulty_store.h"

#include <algorithm>
#include <utility>

#include "libs/storage/commit_rules.h"

namespace keyferry {

// Whichever comes last, the result or the release, calls done.
struct FaultyStore::Delayed {
  CommitDone done;
  absl::Mutex mutex;
  std::optional<absl::StatusOr<Revision>> result ABSL_GUARDED_BY(mutex);
  bool released ABSL_GUARDED_BY(mutex) = false;

  void Arrive(absl::StatusOr<Revision> arrived) {
    {
      absl::MutexLock lock(&mutex);
      result = std::move(arrived);
      if (!released) return;
    }
    Answer();
  }
  void Release() {
    {
      absl::MutexLock lock(&mutex);
      released = true;
      if (!result) return;
    }
    Answer();
  }
  void Answer() ABSL_NO_THREAD_SAFETY_ANALYSIS { done(*result); }
};

void FaultyStore::Inject(Fault fault) {
  absl::MutexLock lock(&mutex_);
  faults_.push_back(std::move(fault));
}

size_t FaultyStore::FaultsLeft() const {
  absl::MutexLock lock(&mutex_);
  return faults_.size();
}

void FaultyStore::ReleaseDelayed() {
  std::vector<std::shared_ptr<Delayed>> delayed;
  {
    absl::MutexLock lock(&mutex_);
    delayed.swap(delayed_);
  }
  for (const auto& commit : delayed) commit->Release();
}

std::optional<FaultyStore::Fault> FaultyStore::Take(std::initializer_list<Kind> kinds) const {
  absl::MutexLock lock(&mutex_);
  if (faults_.empty() || std::find(kinds.begin(), kinds.end(), faults_.front().kind) == kinds.end())
    return std::nullopt;
  if (faults_.front().skip-- > 0) return std::nullopt;
  Fault fault = std::move(faults_.front());
  faults_.pop_front();
  return fault;
}

void FaultyStore::CommitAsync(Commit commit, CommitDone done) {
  const auto fault = Take({Kind::kFailCommitBefore, Kind::kFailCommitAfter, Kind::kDelayCommit});
  if (!fault) return beneath_.CommitAsync(std::move(commit), std::move(done));
  if (fault->kind == Kind::kFailCommitBefore) return Refuse(beneath_, fault->status, std::move(done));
  if (fault->kind == Kind::kFailCommitAfter) {
    return beneath_.CommitAsync(std::move(commit), [done = std::move(done), status = fault->status](
                                                       const absl::StatusOr<Revision>&) { done(status); });
  }
  auto delayed = std::make_shared<Delayed>();
  delayed->done = std::move(done);
  {
    absl::MutexLock lock(&mutex_);
    delayed_.push_back(delayed);
  }
  beneath_.CommitAsync(std::move(commit),
                       [delayed](absl::StatusOr<Revision> result) { delayed->Arrive(std::move(result)); });
}

absl::StatusOr<std::optional<Row>> FaultyStore::Get(const RowKey& key) const {
  if (const auto fault = Take({Kind::kFailGet})) return fault->status;
  return beneath_.Get(key);
}

absl::StatusOr<std::vector<KeyedRow>> FaultyStore::Scan(const RowKey& begin, const std::string& end,
                                                        size_t limit) const {
  if (const auto fault = Take({Kind::kFailScan})) return fault->status;
  return beneath_.Scan(begin, end, limit);
}

}  // namespace keyferry

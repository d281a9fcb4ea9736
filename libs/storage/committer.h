// The single committer: whoever is at it drains a bounded queue, checks terms and preconditions against the database and
// against what stands before in the same batch, gives each commit its revision, writes one synced batch, publishes the
// head. A second thread answers and rings, in commit order.
//
// Handing over costs a thread's wake-up, so it is left out where nothing is won by it: a commit that finds nobody committing and nobody waiting is made by its own caller, if that may
// be (commit_here.h); every other by the committing thread. One commit that nobody waits behind is answered by who made it. Never do two
// commit, nor two answer, at a time.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_STORAGE_COMMITTER_H_
#define KEYFERRY_STORAGE_COMMITTER_H_

#include <atomic>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libs/storage/disk_guard.h"
#include "libs/storage/rings.h"
#include "libs/storage/rocks_database.h"
#include "libs/storage/row_cache.h"
#include "libs/storage/store.h"

namespace keyferry {

class Committer {
 public:
  struct Options {
    // Commits that are not answered yet, refused ones left out.
    size_t max_unanswered_commits = 16'384;
    size_t max_unanswered_bytes = size_t{64} << 20;
    size_t max_batch_commits = 256;
    size_t max_batch_bytes = size_t{1} << 20;
    // Told each new head once it is durable; must not block.
    std::function<void(Revision)> on_head;
  };

  // All outlive the committer.
  Committer(RocksDatabase& database, RowCache& cache, Rings& rings, DiskGuard& disk, Options options);
  // Commits and answers what was submitted; a commit that an answer submits while it closes is Unavailable.
  ~Committer();

  // As Store::CommitAsync and Store::AcquireWriter.
  void Submit(Commit commit, Store::CommitDone done);
  absl::StatusOr<Term> AcquireWriter(Lineage lineage);

  Revision head() const { return head_.load(std::memory_order_acquire); }
  // As Store::Ceiling.
  Revision ceiling() const { return ceiling_.load(std::memory_order_acquire); }

 private:
  struct Request {
    Commit commit;
    // Present: no commit but a new term, for `granted`, which lives until done is called.
    std::optional<Lineage> new_term;
    Term* granted = nullptr;
    Store::CommitDone done;
    size_t bytes = 0;
  };
  struct Answer {
    Store::CommitDone done;
    absl::StatusOr<Revision> result;
    size_t bytes = 0;
    // False for a request that never came into the queue.
    bool counted = true;
  };
  struct Answers {
    std::vector<Answer> answers;
    std::vector<RowKey> written;
  };
  class BatchWriter;

  void CommitUntilClosed();
  void AnswerUntilClosed();
  std::vector<Request> TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of whoever set is_committing_, which ends with it.
  void CommitAndAnswer(std::vector<Request> batch);
  Answers CommitBatch(std::vector<Request> batch);
  // Empties `answers`, unless who committed is to give them itself.
  void HandOver(Answers& answers);
  void CountAnswered(const Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Give(Answers answers);
  void Enqueue(Request request);

  RocksDatabase& database_;
  RowCache& cache_;
  Rings& rings_;
  DiskGuard& disk_;
  const Options options_;

  RocksDatabase::HeadState state_;  // of whoever is committing
  std::atomic<Revision> head_;
  std::atomic<Revision> ceiling_;

  absl::Mutex mutex_;
  std::deque<Request> queue_ ABSL_GUARDED_BY(mutex_);
  std::deque<Answers> answers_ ABSL_GUARDED_BY(mutex_);
  size_t unanswered_commits_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t unanswered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool committed_all_ ABSL_GUARDED_BY(mutex_) = false;
  // Somebody is at it.
  bool is_committing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_answering_ ABSL_GUARDED_BY(mutex_) = false;
  // Conditions of the mutex itself would be tried at each of its many unlocks.
  absl::CondVar to_commit_, to_answer_;

  std::thread committing_;
  std::thread answering_;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_COMMITTER_H_

// A store that fails as told: an ordered list of one-shot faults around any other store. The first fault of the list
// waits for its operation; operations of other kinds pass.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_STORAGE_TESTING_FAULTY_STORE_H_
#define KEYFERRY_STORAGE_TESTING_FAULTY_STORE_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "libs/storage/store.h"

namespace keyferry {

class FaultyStore final : public Store {
 public:
  enum class Kind {
    kFailCommitBefore,  // nothing is written
    kFailCommitAfter,   // written, but the caller is told `status`: an unknown outcome
    kDelayCommit,       // written and answered as usual, but only once ReleaseDelayed is called
    kFailGet,
    kFailScan,
  };
  struct Fault {
    Kind kind = Kind::kFailCommitBefore;
    absl::Status status = absl::UnavailableError("injected");
    // Operations of this kind that pass before.
    int skip = 0;
  };

  // Outlives it.
  explicit FaultyStore(Store& beneath) : beneath_(beneath) {}

  void Inject(Fault fault);
  size_t FaultsLeft() const;
  // On this thread, in the order of the commits. Commits that are still under way answer as usual.
  void ReleaseDelayed();

  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override { return beneath_.AcquireWriter(lineage); }
  void CommitAsync(Commit commit, CommitDone done) override;
  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override;
  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override;
  std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) override {
    return beneath_.Ring(begin, end, std::move(ring));
  }
  std::optional<Revision> RevisionInMemory(const RowKey& key) const override { return beneath_.RevisionInMemory(key); }
  Revision Head() const override { return beneath_.Head(); }
  Revision Ceiling() const override { return beneath_.Ceiling(); }
  absl::Status Backup(const std::string& directory) override { return beneath_.Backup(directory); }
  absl::Status Purge(const std::vector<KeyRange>& ranges) override { return beneath_.Purge(ranges); }

 private:
  std::optional<Fault> Take(std::initializer_list<Kind> kinds) const;

  struct Delayed;
  Store& beneath_;
  mutable absl::Mutex mutex_;
  mutable std::deque<Fault> faults_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Delayed>> delayed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_TESTING_FAULTY_STORE_H_

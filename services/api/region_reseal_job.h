// The re-sealing of one region: through its secret sets, then through its deployments, in small steps. In that order
// one pass is enough: a set that was visited stays sealed to the present key whatever is written to it, and a
// deployment takes its values from a set.
//
// A step waits until the region has proved what the step before gave it (at most kResealPatience), and for a
// provisioner to be connected: so only few objects are pending at once, and none for longer than its delivery takes.
//
// Thread safety: confined to its strand, but for progress.
#ifndef KEYFERRY_SERVICES_API_REGION_RESEAL_JOB_H_
#define KEYFERRY_SERVICES_API_REGION_RESEAL_JOB_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/executor.h"
#include "services/api/region_reseal.h"
#include "services/api/region_reseal_object.h"

namespace keyferry {

inline constexpr size_t kResealObjectsPerStep = 32;
inline constexpr absl::Duration kResealStepInterval = absl::Milliseconds(20);
inline constexpr absl::Duration kResealPatience = absl::Seconds(5);
// Between two looks at a region that is away.
inline constexpr absl::Duration kResealAwayInterval = absl::Seconds(1);
// Between two passes over a region with objects that only a write moves.
inline constexpr absl::Duration kResealBlockedInterval = absl::Minutes(5);

class RegionResealJob : public std::enable_shared_from_this<RegionResealJob> {
 public:
  // `ended` is called on the strand when the region has no previous key any more, or is gone.
  RegionResealJob(const UseCaseDeps& deps, std::shared_ptr<Strand> strand, std::string region,
                  std::function<void()> ended);

  // On the strand: begins, or goes on from where the store says.
  void Run();
  // On the strand: looks again, also when it was about to end or waits for somebody to write what is blocked.
  void Wake();
  // From any thread.
  RegionResealProgress progress() const;

 private:
  using Next = void (RegionResealJob::*)();
  void Later(absl::Duration delay, Next next);
  void Commit(TransactionPlan plan, Next next);
  void Retry(const absl::Status& failure, Next next);

  absl::StatusOr<bool> CheckKey();
  RowKey FirstOf(ObjectKind kind) const;
  void Step();
  absl::StatusOr<bool> NextPage();
  void NextObject();
  void Visited(const absl::StatusOr<ResealedObject>& resealed);
  void AwaitProofs();
  absl::StatusOr<bool> IsPending(const ObjectId& object) const;
  void EndStep();
  void EndPass();
  void Rest();
  void Finish();
  RotationRow ToRow() const;

  const UseCaseDeps deps_;
  const std::shared_ptr<Strand> strand_;
  const std::string region_;
  const std::function<void()> ended_;
  // Of the pass; empty: none has begun.
  std::string sealing_key_id_;
  // The placement's key at which the next step goes on.
  RowKey cursor_;
  RowKey cursor_after_page_;
  std::vector<ObjectId> page_;
  size_t next_object_ = 0;
  std::vector<ObjectId> unproved_;
  absl::Duration proofs_awaited_since_;
  int64_t blocked_count_ = 0;
  int step_count_ = 0;
  int failure_count_ = 0;
  bool resting_ = false;
  bool again_ = false;
  // Of the newest timer; older ones do nothing.
  uint64_t timer_ = 0;

  mutable absl::Mutex mutex_;
  RegionResealProgress progress_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_RESEAL_JOB_H_

// The rotation of one owner's key: AddKey, Reseal through all rows, again until a whole pass has moved nothing,
// RetireOlderKeys, and a purge of the wrapped keys that it destroyed from the store's files.
//
// Thread safety: confined to its strand, but for progress.
#ifndef KEYFERRY_SERVICES_API_KEY_ROTATION_JOB_H_
#define KEYFERRY_SERVICES_API_KEY_ROTATION_JOB_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/executor.h"
#include "services/api/key_rotation.h"

namespace keyferry {

inline constexpr size_t kResealRowsPerStep = 200;
inline constexpr absl::Duration kResealRowsInterval = absl::Milliseconds(20);

// Destroyed and replaced wrapped keys are in no file of the store from then on. Errors of Store::Purge.
absl::Status PurgeWrappedKeys(Store& store);

// The row that begins a rotation to this key. Until the first step it holds the number in place of a cursor.
RotationRow NewRotation(int key_number, absl::Time now);

class KeyRotationJob : public std::enable_shared_from_this<KeyRotationJob> {
 public:
  // `row`: as it is stored. `ended` is called on the strand when the row is gone.
  KeyRotationJob(const KeyRotationParts& parts, std::shared_ptr<Strand> strand, std::string owner, RotationRow row,
                 std::function<void()> ended);

  // On the strand. `added` is called when the newest key is that of the rotation, or with why it is not yet; then it is
  // tried again.
  void Run(std::function<void(absl::StatusOr<int>)> added);
  // From any thread.
  KeyRotationProgress progress() const;

 private:
  using Next = void (KeyRotationJob::*)();
  void Later(absl::Duration delay, Next next);
  void Retry(const absl::Status& failure, Next next);
  void Begin();
  void AddKey();
  void Added(const absl::StatusOr<int>& number);
  void Step();
  void EndPass();
  void Save();
  void Saved(const absl::Status& saved);
  void Retire();
  void PurgeKeys();
  void FinishGone();
  void Finish();

  const KeyRotationParts parts_;
  const std::shared_ptr<Strand> strand_;
  const std::string owner_;
  const std::function<void()> ended_;
  std::function<void(absl::StatusOr<int>)> added_;
  // The key to rotate to; 0: it was there when this process began.
  int key_number_ = 0;
  ResealCursor cursor_;
  // Something was moved since the pass began, or may have been.
  bool pass_moved_ = true;
  int newest_number_ = 0;
  // Its owner's key row: the organization was deleted.
  bool gone_ = false;
  int step_count_ = 0;
  int failure_count_ = 0;

  mutable absl::Mutex mutex_;
  KeyRotationProgress progress_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_KEY_ROTATION_JOB_H_

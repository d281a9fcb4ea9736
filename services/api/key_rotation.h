// KeyRotation: new keys of organizations and of the system's rows, and wrapping by a new root key, in the background:
// small steps with pauses, one after another, so that callers do not feel them. What is under way is a row
// (RotationRow) and goes on after a restart.
//
// Invariants:
//   K1  A rotation is durable, with its audit record, before its first change; whoever asked for it need not ask again.
//   K2  An older key is destroyed only after a whole pass through its owner's rows has found nothing under it.
//   K3  An owner has one rotation at a time; one whose key row is gone (its organization was deleted) ends.
//
// Thread safety: all methods from any thread. They may block for a commit, a KMS up to 3 s.
#ifndef KEYFERRY_SERVICES_API_KEY_ROTATION_H_
#define KEYFERRY_SERVICES_API_KEY_ROTATION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "libs/crypto/root_keys.h"
#include "libs/storage/barrier.h"
#include "services/api/transaction.h"

namespace keyferry {

// Between two looks at the root key's id.
inline constexpr absl::Duration kRootPollInterval = absl::Seconds(60);

// All of it outlives the executor's work. writer.store is the barrier's.
struct KeyRotationParts {
  Writer writer;
  Barrier& barrier;
  RootKeys& root_keys;
  const Clock& clock;
};

struct KeyRotationProgress {
  // Empty: the system's rows.
  std::string owner;
  absl::Time begin_time;
  // Rows looked at, and those that were sealed again, since it began.
  int64_t visited_count = 0;
  int64_t moved_count = 0;
};

class KeyRotation {
 public:
  static std::unique_ptr<KeyRotation> Create(const KeyRotationParts& parts);
  virtual ~KeyRotation() = default;

  // Goes on with what was under way, and begins to look after the root key. Once, when the process serves.
  virtual void Start() = 0;

  // A new key for an organization (empty: the system's rows): done gets its number once it seals; the rest follows in
  // the background. NotFound ORGANIZATION_NOT_FOUND. FailedPrecondition ROTATION_RUNS. Unavailable: the KMS is away.
  // Speaks for the call scope of the calling thread.
  virtual void Rotate(const std::string& owner, std::function<void(absl::StatusOr<int>)> done) = 0;

  // Wraps all owners' keys by the current root key; done is called when that is recorded and has begun. Unavailable.
  virtual void Rewrap(std::function<void(absl::Status)> done) = 0;
  // The keyring was read again: begins Rewrap where its current root key is another.
  virtual void CheckRoot() = 0;

  // What runs, in order of owner.
  virtual std::vector<KeyRotationProgress> Running() const = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_KEY_ROTATION_H_

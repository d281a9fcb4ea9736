// A placement says what a region should hold of an object and what it said it holds. Readiness follows from it.
#ifndef KEYFERRY_MODEL_PLACEMENT_H_
#define KEYFERRY_MODEL_PLACEMENT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace keyferry {

// Numbers are on disk and on the wire: do not renumber.
enum class ObjectKind : uint8_t { kSecretSet = 1, kDeployment = 2 };
enum class Operation : uint8_t { kApply = 1, kDelete = 2, kRetain = 3 };
enum class AckResult : uint8_t { kReady = 1, kFailed = 2 };
enum class Readiness : uint8_t { kPending = 1, kReady = 2, kFailed = 3 };

struct ObjectId {
  ObjectKind kind = ObjectKind::kSecretSet;
  std::string organization;
  std::string name;
  friend auto operator<=>(const ObjectId&, const ObjectId&) = default;
};

struct DesiredState {
  // Of the row: what the region must reach. Carries the store's current lineage.
  uint64_t revision = 0;
  std::string uid;
  Operation operation = Operation::kApply;
  int64_t generation = 0;
  std::string digest;
  absl::Time desired_time;
  // Of the call that wrote it; for logs. May be empty.
  std::string request_id;
};

struct Observation {
  uint64_t revision = 0;
  std::string target_incarnation;
  AckResult result = AckResult::kReady;
  int64_t generation = 0;
  int64_t ready_generation = 0;
  std::string uid;
  std::string error_reason;
  std::string error_message;
  bool permanent = false;
  int attempts = 0;
  absl::Time next_attempt;
  absl::Time observed_time;
  int suspect = 0;
  uint64_t suspect_revision = 0;
};

// READY: op APPLY, observed at the desired revision, on the region's present target, result READY. FAILED: the same,
// result FAILED and it is final (permanent). PENDING otherwise, also for a delete.
Readiness ReadinessOf(const DesiredState& desired, const std::optional<Observation>& observation,
                      const std::string& target_incarnation);

}  // namespace keyferry

#endif  // KEYFERRY_MODEL_PLACEMENT_H_

// What a region's report does to a placement: the ack table of docs/provisioning-protocol.md, as plans on a Transaction.
//
// Thread safety: free functions over a confined Transaction.
#ifndef KEYFERRY_SERVICES_API_PLACEMENT_ACKS_H_
#define KEYFERRY_SERVICES_API_PLACEMENT_ACKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/model/placement.h"
#include "services/api/transaction.h"

namespace keyferry {

inline constexpr char kDigestMismatch[] = "DIGEST_MISMATCH";
inline constexpr char kBelowFloor[] = "BELOW_FLOOR";
inline constexpr char kPoison[] = "POISON";

// What was delivered already is recorded again, when it is proved again, at most so often: a provisioner must not fill
// the audit trail by drifting and acknowledging.
inline constexpr absl::Duration kDeliveryRecordInterval = absl::Minutes(1);

struct AckReport {
  ObjectId object;
  std::string uid;
  uint64_t revision = 0;
  AckResult result = AckResult::kReady;
  std::string digest;
  std::string error_reason;
  std::string error_message;
  bool permanent = false;
};

// The session that heard it. Its epoch and incarnation are checked before a report gets here.
struct AckContext {
  std::string region;
  // The provisioner's SPIFFE id, for the record of a delivery.
  std::string principal;
  std::string target_incarnation;
  uint64_t lineage = 0;
  // The store's, in the present lineage: nothing above it was ever sent.
  uint64_t ceiling = 0;
  absl::Time now;
  // The region's connection; it is given time to succeed from then on.
  absl::Time connected_since;
  // 0 to 1, for the backoff.
  double random = 1;
  // Gets, where there is one, how long each object was pending that an ack proved.
  std::vector<absl::Duration>* proved_after = nullptr;
};

enum class AckEffect : uint8_t {
  kReady,
  kDeleted,
  kRetryLater,
  kFailedForGood,
  // Settled as a failure.
  kDigestMismatch,
  // Given a new revision.
  kTouched,
  // Nothing was written:
  kStale,
  kUnknown,
  kForeignUid,
  // The region knows a revision that the store never gave out.
  kAboveHead,
};

absl::StatusOr<AckEffect> SettleAck(Transaction& transaction, const AckContext& context, const AckReport& ack);

// The session died with this revision in flight. After the kPoisonThreshold-th time it is FAILED for good.
absl::Status MarkSuspect(Transaction& transaction, const AckContext& context, const ObjectId& object, uint64_t revision);

enum class TouchOnly : uint8_t { kReady, kFailedForGood };
// Desires the same once more, under a new revision, when the placement's readiness is that one. Answers whether it did.
absl::StatusOr<bool> Touch(Transaction& transaction, const AckContext& context, const ObjectId& object, TouchOnly only);
// The region holds an object that was never placed there, or no longer is: desires its deletion.
absl::Status DesireDeleteOfStray(Transaction& transaction, const AckContext& context, const ObjectId& object);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_PLACEMENT_ACKS_H_

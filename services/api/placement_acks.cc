#include "services/api/placement_acks.h"

#include <algorithm>

#include "libs/common/backoff.h"
#include "libs/common/limits.h"
#include "libs/common/log.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/audit_trail.h"
#include "services/api/placement_rows.h"

namespace keyferry {
namespace {

constexpr size_t kMaxErrorMessageBytes = 1024;
constexpr size_t kMaxErrorReasonBytes = 64;

// Cut between characters: the record's text must stay UTF-8.
std::string Shortened(const std::string& text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

bool ObservedHere(const PlacementRows& rows, const AckContext& context) {
  return rows.observed && rows.observed->revision == rows.desired->revision &&
         rows.observed->target_incarnation == context.target_incarnation;
}

Observation NextObservation(const PlacementRows& rows, const AckContext& context) {
  const bool same_uid = rows.observed && rows.observed->uid == rows.desired->uid;
  return {.revision = rows.desired->revision,
          .target_incarnation = context.target_incarnation,
          .generation = rows.desired->generation,
          .ready_generation = same_uid ? rows.observed->ready_generation : 0,
          .uid = rows.desired->uid,
          .observed_time = context.now};
}

void PutObserved(Transaction& transaction, const AckContext& context, const ObjectId& object, const Observation& observation) {
  transaction.Put(keys::Observed(context.region, object), Encode(observation));
}

void TouchRows(Transaction& transaction, const AckContext& context, const ObjectId& object, const PlacementRows& rows) {
  DesiredState again = *rows.desired;
  again.desired_time = context.now;
  ReplaceDesired(transaction, context.region, object, rows, again);
}

void RecordDelivery(Transaction& transaction, const AckContext& context, const ObjectId& object, int64_t generation) {
  AddAuditRecord(transaction, {.organization = object.organization,
                               .time = context.now,
                               .principal = context.principal,
                               .role = "provisioner",
                               .method = "Provisioning/Sync",
                               .decision = AuditDecision::kDelivered,
                               .object_kind = object.kind == ObjectKind::kSecretSet ? "secretSet" : "deployment",
                               .object_name = object.name,
                               .region = context.region,
                               .generation = generation});
}

bool IsNewDelivery(const PlacementRows& rows, const AckContext& context) {
  const bool was_delivered = rows.observed && rows.observed->uid == rows.desired->uid &&
                             rows.observed->ready_generation == rows.desired->generation;
  return !was_delivered || context.now - rows.observed->observed_time >= kDeliveryRecordInterval;
}

AckEffect Proved(Transaction& transaction, const AckContext& context, const ObjectId& object, const PlacementRows& rows) {
  ErasePending(transaction, context.region, object, rows);
  EraseRetry(transaction, context.region, object, rows);
  if (rows.desired->operation == Operation::kDelete) {
    transaction.Erase(keys::Desired(context.region, object));
    transaction.Erase(keys::Observed(context.region, object));
    return AckEffect::kDeleted;
  }
  Observation observation = NextObservation(rows, context);
  observation.ready_generation = rows.desired->generation;
  PutObserved(transaction, context, object, observation);
  if (context.proved_after != nullptr) context.proved_after->push_back(context.now - rows.desired->desired_time);
  if (IsNewDelivery(rows, context)) RecordDelivery(transaction, context, object, observation.generation);
  return AckEffect::kReady;
}

struct Failure {
  std::string reason;
  std::string message;
  bool permanent = false;
};

AckEffect Failed(Transaction& transaction, const AckContext& context, const ObjectId& object, const PlacementRows& rows,
                 const Failure& failure) {
  const bool again = ObservedHere(rows, context) && rows.observed->result == AckResult::kFailed && rows.observed->attempts > 0;
  Observation observation = NextObservation(rows, context);
  observation.result = AckResult::kFailed;
  observation.error_reason = Shortened(failure.reason, kMaxErrorReasonBytes);
  observation.error_message = Shortened(failure.message, kMaxErrorMessageBytes);
  observation.attempts = (again ? rows.observed->attempts : 0) + 1;
  const absl::Time failing_since = again ? rows.observed->observed_time : context.now;
  const absl::Duration left = kProvisioningDeadline - (context.now - std::max(failing_since, context.connected_since));
  observation.permanent = failure.permanent || left <= absl::ZeroDuration();
  ErasePending(transaction, context.region, object, rows);
  EraseRetry(transaction, context.region, object, rows);
  if (!observation.permanent) {
    const absl::Duration delay = BackoffDelay(observation.attempts - 1, kMinRetryDelay, kMaxRetryDelay, context.random);
    // The last attempt comes at the deadline, so that its owner hears of a failure then and not a whole backoff later.
    const int64_t due = absl::ToUnixMillis(context.now + std::max(std::min(delay, left), kMinRetryDelay));
    observation.next_attempt = absl::FromUnixMillis(due);
    observation.observed_time = failing_since;
    transaction.Put(keys::Retry(context.region, due, observation.revision, object), "");
  }
  PutObserved(transaction, context, object, observation);
  return observation.permanent ? AckEffect::kFailedForGood : AckEffect::kRetryLater;
}

AckEffect ReportedReady(Transaction& transaction, const AckContext& context, const AckReport& ack, const PlacementRows& rows) {
  if (rows.desired->operation == Operation::kApply && ack.digest != rows.desired->digest) {
    Log(Severity::kError, "ack_digest_mismatch",
        {{"region", context.region}, {"organization", ack.object.organization}, {"object", ack.object.name}, {"revision", ack.revision}});
    Failed(transaction, context, ack.object, rows, {kDigestMismatch, "the region holds other bytes than were sent"});
    return AckEffect::kDigestMismatch;
  }
  const bool known = rows.desired->operation == Operation::kApply &&
                     ReadinessOf(*rows.desired, rows.observed, context.target_incarnation) == Readiness::kReady;
  return known ? AckEffect::kReady : Proved(transaction, context, ack.object, rows);
}

AckEffect ReportedFailed(Transaction& transaction, const AckContext& context, const AckReport& ack, const PlacementRows& rows) {
  const bool settled = ObservedHere(rows, context) &&
                       (rows.observed->result == AckResult::kReady || rows.observed->permanent);
  if (settled) return AckEffect::kStale;
  return Failed(transaction, context, ack.object, rows, {ack.error_reason, ack.error_message, ack.permanent});
}

}  // namespace

absl::StatusOr<AckEffect> SettleAck(Transaction& transaction, const AckContext& context, const AckReport& ack) {
  if (ack.revision > context.ceiling) return AckEffect::kAboveHead;
  ASSIGN_OR_RETURN(const PlacementRows rows, ReadPlacementRows(transaction, context.region, ack.object, context.lineage));
  if (!rows.desired) return AckEffect::kUnknown;
  if (ack.revision < rows.desired->revision) return AckEffect::kStale;
  if (ack.revision > rows.desired->revision || (ack.result == AckResult::kFailed && ack.error_reason == kBelowFloor)) {
    TouchRows(transaction, context, ack.object, rows);
    return AckEffect::kTouched;
  }
  if (ack.uid != rows.desired->uid) return AckEffect::kForeignUid;
  return ack.result == AckResult::kReady ? ReportedReady(transaction, context, ack, rows)
                                         : ReportedFailed(transaction, context, ack, rows);
}

absl::Status MarkSuspect(Transaction& transaction, const AckContext& context, const ObjectId& object, uint64_t revision) {
  ASSIGN_OR_RETURN(const PlacementRows rows, ReadPlacementRows(transaction, context.region, object, context.lineage));
  if (!rows.desired || rows.desired->revision != revision) return absl::OkStatus();
  const bool seen = ObservedHere(rows, context);
  if (seen && rows.observed->permanent) return absl::OkStatus();
  if (seen && rows.observed->result == AckResult::kReady && rows.desired->operation == Operation::kApply) return absl::OkStatus();
  Observation observation = rows.observed.value_or(Observation{});
  observation.suspect = (observation.suspect_revision == revision ? observation.suspect : 0) + 1;
  observation.suspect_revision = revision;
  if (observation.suspect < kPoisonThreshold) {
    PutObserved(transaction, context, object, observation);
    return absl::OkStatus();
  }
  Log(Severity::kError, "placement_poisoned",
      {{"region", context.region}, {"organization", object.organization}, {"object", object.name}, {"revision", revision}});
  Failed(transaction, context, object, rows,
         {kPoison, "the region's provisioner died each time it was given this; write it again to try once more", true});
  return absl::OkStatus();
}

absl::StatusOr<bool> Touch(Transaction& transaction, const AckContext& context, const ObjectId& object, TouchOnly only) {
  ASSIGN_OR_RETURN(const PlacementRows rows, ReadPlacementRows(transaction, context.region, object, context.lineage));
  if (!rows.desired) return false;
  const Readiness readiness = ReadinessOf(*rows.desired, rows.observed, context.target_incarnation);
  const bool failed = ObservedHere(rows, context) && rows.observed->result == AckResult::kFailed && rows.observed->permanent;
  if (only == TouchOnly::kReady ? readiness != Readiness::kReady : !failed) return false;
  TouchRows(transaction, context, object, rows);
  return true;
}

absl::Status DesireDeleteOfStray(Transaction& transaction, const AckContext& context, const ObjectId& object) {
  ASSIGN_OR_RETURN(const PlacementRows rows, ReadPlacementRows(transaction, context.region, object, context.lineage));
  if (rows.desired) return absl::OkStatus();
  ReplaceDesired(transaction, context.region, object, rows,
                 {.uid = NewUid(), .operation = Operation::kDelete, .desired_time = context.now});
  return absl::OkStatus();
}

}  // namespace keyferry

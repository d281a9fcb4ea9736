#include "services/api/placements.h"

#include "libs/storage/keys.h"
#include "services/api/call_scope.h"
#include "services/api/placement_rows.h"

namespace keyferry {
namespace {

// Of the call that this is done for.
std::string RequestIdOfCall() {
  const auto call = CallScope::Current();
  return call != nullptr ? call->caller.request_id : "";
}

}  // namespace

absl::Status DesireApply(Transaction& transaction, std::string_view region, const ObjectId& object, std::string_view uid,
                         int64_t generation, std::string_view digest, absl::Time now) {
  ASSIGN_OR_RETURN(const PlacementRows rows, ReadPlacementRows(transaction, region, object, 0));
  ReplaceDesired(transaction, region, object, rows,
                 {.uid = std::string(uid), .operation = Operation::kApply, .generation = generation, .digest = std::string(digest),
                  .desired_time = now, .request_id = RequestIdOfCall()});
  return absl::OkStatus();
}

absl::Status DesireDelete(Transaction& transaction, std::string_view region, const ObjectId& object, absl::Time now) {
  ASSIGN_OR_RETURN(const PlacementRows rows, ReadPlacementRows(transaction, region, object, 0));
  if (!rows.desired || rows.desired->operation == Operation::kDelete) return absl::OkStatus();
  ReplaceDesired(transaction, region, object, rows,
                 {.uid = rows.desired->uid, .operation = Operation::kDelete, .generation = rows.desired->generation,
                  .desired_time = now, .request_id = RequestIdOfCall()});
  return absl::OkStatus();
}

absl::StatusOr<PlacementStatus> ReadPlacement(Transaction& transaction, std::string_view region, const ObjectId& object,
                                              std::string_view uid, uint64_t lineage) {
  ASSIGN_OR_RETURN(const PlacementRows rows, ReadPlacementRows(transaction, region, object, lineage));
  ASSIGN_OR_RETURN(const auto state, transaction.Get<RegionStateRow>(keys::RegionState(region)));
  PlacementStatus status;
  if (!rows.desired || rows.desired->uid != uid) return status;
  if (rows.desired->operation == Operation::kApply) status.desired_generation = rows.desired->generation;
  status.last_transition_time = rows.desired->desired_time;
  if (!rows.observed || rows.observed->uid != uid) return status;
  status.readiness = ReadinessOf(*rows.desired, rows.observed, state ? state->value.target_incarnation : "");
  status.observed_generation = rows.observed->generation;
  status.ready_generation = rows.observed->ready_generation;
  if (status.readiness != Readiness::kPending) status.last_transition_time = rows.observed->observed_time;
  if (status.readiness == Readiness::kFailed) {
    status.error_message = rows.observed->error_message;
    status.error_reason = rows.observed->error_reason;
  }
  return status;
}

}  // namespace keyferry

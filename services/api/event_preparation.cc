#include "services/api/event_preparation.h"

#include "libs/common/limits.h"
#include "libs/storage/codec.h"
#include "libs/storage/keys.h"

namespace keyferry {

Due DueOf(const PlacementRows& rows, const std::string& target_incarnation, absl::Time now) {
  if (!rows.observed) return Due::kNow;
  const Observation& observed = *rows.observed;
  if (observed.revision == rows.desired->revision && observed.target_incarnation == target_incarnation) {
    if (observed.result == AckResult::kReady || observed.permanent) return Due::kSettled;
    // Later than ever asked for: the clock has gone back since.
    if (observed.next_attempt > now && observed.next_attempt <= now + kMaxRetryDelay) return Due::kLater;
  }
  const bool suspect = observed.suspect > 0 && observed.suspect_revision == rows.desired->revision;
  return suspect ? Due::kSuspect : Due::kNow;
}

absl::StatusOr<std::optional<std::string>> ReadPayload(const Store& store, const ObjectId& object, const DesiredState& desired) {
  if (desired.operation == Operation::kDelete) return std::string();
  if (object.kind == ObjectKind::kSecretSet) {
    ASSIGN_OR_RETURN(std::optional<Row> row,
                     store.Get(keys::Generation(object.organization, desired.uid, desired.generation)));
    if (!row) return std::nullopt;
    ASSIGN_OR_RETURN(Generation generation, Decode<Generation>(row->value));
    return std::move(generation.sealed_object);
  }
  ASSIGN_OR_RETURN(std::optional<Row> row, store.Get(keys::Deployment(object.organization, object.name)));
  if (!row) return std::nullopt;
  ASSIGN_OR_RETURN(Deployment deployment, Decode<Deployment>(row->value));
  if (deployment.uid != desired.uid || deployment.digest != desired.digest) return std::nullopt;
  return std::move(deployment.sealed_object);
}

}  // namespace keyferry

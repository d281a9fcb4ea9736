// Opens every value of a sealed object with the region's private keys, and refuses what a sink or an agent could not
// take. What comes from the stream is not trusted: names, keys, sizes and hosts are checked again before they become
// paths or variables.
//
// Thread safety: a pure function; the keys are immutable.
#ifndef KEYFERRY_SERVICES_PROVISIONER_OBJECT_OPENER_H_
#define KEYFERRY_SERVICES_PROVISIONER_OBJECT_OPENER_H_

#include "absl/status/statusor.h"
#include "services/provisioner/opened_object.h"
#include "services/provisioner/region_keys.h"
#include "services/provisioner/region_store.h"

namespace keyferry {

inline constexpr char kReasonBadPayload[] = "BAD_PAYLOAD";
inline constexpr char kReasonCannotOpen[] = "CANNOT_OPEN";

// REQUIRES: object's operation is kApply. DataLoss, with the reason BAD_PAYLOAD (these bytes are no such object) or
// CANNOT_OPEN (a value is not sealed to any of these keys, or not for this place); messages name keys, never values.
absl::StatusOr<OpenedObject> OpenObject(const RegionKeySet& keys, const RegionObject& object);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_OBJECT_OPENER_H_

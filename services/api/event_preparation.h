// What to do about one object of a region now, and the event that does it.
//
// Thread safety: free functions; the store's reads may be called from any thread.
#ifndef KEYFERRY_SERVICES_API_EVENT_PREPARATION_H_
#define KEYFERRY_SERVICES_API_EVENT_PREPARATION_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/model/placement.h"
#include "libs/storage/store.h"
#include "services/api/placement_rows.h"

namespace keyferry {

enum class Due : uint8_t {
  // Proved, or failed for good, on this target.
  kSettled,
  // Failed, and waits for its next attempt.
  kLater,
  // A session died with it in flight: to be sent alone.
  kSuspect,
  kNow,
};

// REQUIRES: rows.desired.
Due DueOf(const PlacementRows& rows, const std::string& target_incarnation, absl::Time now);

// The sealed object that is desired. nullopt: the rows moved on since `desired` was read. A delete has an empty one.
absl::StatusOr<std::optional<std::string>> ReadPayload(const Store& store, const ObjectId& object, const DesiredState& desired);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_EVENT_PREPARATION_H_

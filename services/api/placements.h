// Placements: the rows that say what each region should hold and what it said it holds (docs/provisioning-protocol.md, section "Rows").
// Pure reads and plans on a Transaction; no threads, no streams. Revisions carry the store's current lineage: a row that an older
// lineage wrote counts as desired anew.
//
// Thread safety: free functions over a confined Transaction.
#ifndef KEYFERRY_SERVICES_API_PLACEMENTS_H_
#define KEYFERRY_SERVICES_API_PLACEMENTS_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/model/placement.h"
#include "services/api/transaction.h"

namespace keyferry {

// What a caller may know of one object in its region.
struct PlacementStatus {
  Readiness readiness = Readiness::kPending;
  // Of the observation, 0 when there is none of this uid.
  int64_t observed_generation = 0;
  int64_t ready_generation = 0;
  // Of what is desired, 0 when that is not this uid or its delete. Another one than the object's: the two were read at different times.
  int64_t desired_generation = 0;
  // For the object's owner; only when FAILED.
  std::string error_message;
  std::string error_reason;
  absl::Time last_transition_time = absl::InfinitePast();
};

// The region shall hold this: a new desired revision (that of the commit), indexed as pending; replaces whatever was desired.
absl::Status DesireApply(Transaction& transaction, std::string_view region, const ObjectId& object, std::string_view uid,
                         int64_t generation, std::string_view digest, absl::Time now);
// The region shall hold nothing of this object. No-op when it has no placement there.
absl::Status DesireDelete(Transaction& transaction, std::string_view region, const ObjectId& object, absl::Time now);

// Pins everything that the answer rests on, so that a commit of this transaction goes ahead only while it holds. `uid`: only a placement of
// this uid counts.
absl::StatusOr<PlacementStatus> ReadPlacement(Transaction& transaction, std::string_view region, const ObjectId& object,
                                              std::string_view uid, uint64_t lineage);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_PLACEMENTS_H_

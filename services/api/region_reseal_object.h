// One object of a region sealed again: every generation that is kept of a secret set, or what a deployment was accepted
// with.
//
// Thread safety: free functions over a confined Transaction.
#ifndef KEYFERRY_SERVICES_API_REGION_RESEAL_OBJECT_H_
#define KEYFERRY_SERVICES_API_REGION_RESEAL_OBJECT_H_

#include <string>

#include "absl/status/statusor.h"
#include "libs/model/placement.h"
#include "services/api/use_case.h"

namespace keyferry {

struct ResealedObject {
  // Something of it was sealed to the region's present key.
  bool moved = false;
  // What the region holds of it changed: it is pending.
  bool delivered_again = false;
  // Something of it is still sealed to an older key, and nobody but the region opens that.
  bool blocked = false;
};

// The object as it is now; nothing when it is gone, or belongs to another region. Pins the region's row, too. Its
// escrow copies are wrapped by the organization's newest key afterwards. DataLoss: its rows do not fit each other, or
// an escrow copy does not open.
absl::StatusOr<ResealedObject> ResealObject(Transaction& transaction, const UseCaseDeps& deps,
                                            const std::string& region, const ObjectId& object);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_RESEAL_OBJECT_H_

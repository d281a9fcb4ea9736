// Where the rows of an organization are.
//
// Thread safety: free functions.
#ifndef KEYFERRY_SERVICES_API_ORGANIZATION_ROWS_H_
#define KEYFERRY_SERVICES_API_ORGANIZATION_ROWS_H_

#include <string>
#include <vector>

#include "libs/storage/rows.h"
#include "libs/storage/store.h"

namespace keyferry {

// What stays of a deleted organization: its name, which is never given again, since services' SPIFFE identities and audit chains go by it.
inline OrganizationRow RetiredName(absl::Time delete_time) { return {.uid = "", .create_time = absl::UnixEpoch(), .delete_time = delete_time}; }
inline bool IsRetired(const OrganizationRow& row) { return row.delete_time != absl::InfiniteFuture() && row.uid.empty(); }

KeyRange RangeBelow(const RowKey& prefix);
// The one row.
KeyRange RangeOf(const RowKey& key);

// Its sets, generations, deployments, uses and requests. Not its own row, its keys, its API keys, nor its placements and audit records.
std::vector<KeyRange> OwnedRanges(const std::string& organization);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ORGANIZATION_ROWS_H_

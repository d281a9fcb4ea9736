// Reading rows among which some do not open: what is damaged is named and stepped over, the rest is given.
//
// Thread safety: a free function.
#ifndef KEYFERRY_SERVICES_API_AUDIT_SCAN_H_
#define KEYFERRY_SERVICES_API_AUDIT_SCAN_H_

#include <cstddef>
#include <functional>
#include <set>

#include "absl/status/status.h"
#include "libs/storage/store.h"

namespace keyferry {

// More damaged rows below one prefix are a damaged store, and end the visit.
inline constexpr size_t kMaxDamagedRowsVisited = 256;

// Gives `take` each row below the prefix that opens, in order of key. Those that do not open are put into `damaged`;
// what is there already is found again cheaply. Other errors of the store, and of `take`, end it; DataLoss: there are
// more than kMaxDamagedRowsVisited.
absl::Status VisitRowsThatOpen(const Store& store, const RowKey& prefix, std::set<RowKey>& damaged,
                               const std::function<absl::Status(KeyedRow&&)>& take);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_AUDIT_SCAN_H_

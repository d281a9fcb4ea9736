// The rows of one placement, read and replaced together: Desired, Observed, and the Pending and Retry index entries that follow from them.
//
// Thread safety: free functions over a confined Transaction.
#ifndef KEYFERRY_SERVICES_API_PLACEMENT_ROWS_H_
#define KEYFERRY_SERVICES_API_PLACEMENT_ROWS_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/model/placement.h"
#include "libs/storage/store.h"
#include "services/api/transaction.h"

namespace keyferry {

struct PlacementRows {
  // value.revision carries the given lineage.
  std::optional<DesiredState> desired;
  // The row's own revision, as the index entries have it.
  Revision desired_row_revision = 0;
  std::optional<Observation> observed;
};

// Reads without pinning, for streams.
absl::StatusOr<PlacementRows> PeekPlacementRows(const Store& store, std::string_view region, const ObjectId& object, uint64_t lineage);
// Reads and pins both rows.
absl::StatusOr<PlacementRows> ReadPlacementRows(Transaction& transaction, std::string_view region, const ObjectId& object,
                                                uint64_t lineage);

// The key of the Retry entry that this observation left; nullopt when it left none.
std::optional<RowKey> RetryKeyOf(std::string_view region, const ObjectId& object, const std::optional<Observation>& observed);
void ErasePending(Transaction& transaction, std::string_view region, const ObjectId& object, const PlacementRows& rows);
void EraseRetry(Transaction& transaction, std::string_view region, const ObjectId& object, const PlacementRows& rows);

// Replaces what is desired: a new row, pending at the commit's revision; the index entries of the old one go.
void ReplaceDesired(Transaction& transaction, std::string_view region, const ObjectId& object, const PlacementRows& old_rows,
                    const DesiredState& desired);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_PLACEMENT_ROWS_H_

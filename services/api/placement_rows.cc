#include "services/api/placement_rows.h"

#include "libs/storage/keys.h"

namespace keyferry {
namespace {

absl::StatusOr<PlacementRows> DecodeRows(const std::optional<Row>& desired, const std::optional<Row>& observed, uint64_t lineage) {
  PlacementRows rows;
  if (desired) {
    ASSIGN_OR_RETURN(rows.desired, Decode<DesiredState>(desired->value));
    rows.desired->revision = WithLineage(desired->revision, lineage);
    rows.desired_row_revision = desired->revision;
  }
  if (observed) {
    ASSIGN_OR_RETURN(rows.observed, Decode<Observation>(observed->value));
  }
  return rows;
}

}  // namespace

absl::StatusOr<PlacementRows> PeekPlacementRows(const Store& store, std::string_view region, const ObjectId& object,
                                                uint64_t lineage) {
  ASSIGN_OR_RETURN(std::optional<Row> desired, store.Get(keys::Desired(region, object)));
  ASSIGN_OR_RETURN(std::optional<Row> observed, store.Get(keys::Observed(region, object)));
  return DecodeRows(desired, observed, lineage);
}

absl::StatusOr<PlacementRows> ReadPlacementRows(Transaction& transaction, std::string_view region, const ObjectId& object,
                                                uint64_t lineage) {
  ASSIGN_OR_RETURN(std::optional<Row> desired, transaction.Read(keys::Desired(region, object)));
  ASSIGN_OR_RETURN(std::optional<Row> observed, transaction.Read(keys::Observed(region, object)));
  return DecodeRows(desired, observed, lineage);
}

std::optional<RowKey> RetryKeyOf(std::string_view region, const ObjectId& object, const std::optional<Observation>& observed) {
  if (!observed || observed->result != AckResult::kFailed || observed->permanent) return std::nullopt;
  if (observed->attempts == 0) return std::nullopt;
  return keys::Retry(region, absl::ToUnixMillis(observed->next_attempt), observed->revision, object);
}

void ErasePending(Transaction& transaction, std::string_view region, const ObjectId& object, const PlacementRows& rows) {
  // What was proved at this revision left the index with that commit: each erase of what is absent is one more thing that scans step over.
  const bool left = rows.observed && rows.observed->revision == rows.desired_row_revision && rows.observed->result == AckResult::kReady;
  if (rows.desired && !left) transaction.Erase(keys::Pending(region, rows.desired_row_revision, object));
}

void EraseRetry(Transaction& transaction, std::string_view region, const ObjectId& object, const PlacementRows& rows) {
  if (const std::optional<RowKey> key = RetryKeyOf(region, object, rows.observed)) transaction.Erase(*key);
}

void ReplaceDesired(Transaction& transaction, std::string_view region, const ObjectId& object, const PlacementRows& old_rows,
                    const DesiredState& desired) {
  ErasePending(transaction, region, object, old_rows);
  EraseRetry(transaction, region, object, old_rows);
  transaction.Put(keys::Desired(region, object), Encode(desired));
  transaction.PutStamped(keys::Pending(region, 0, object), keys::PendingRevisionOffset(region), "");
}

}  // namespace keyferry

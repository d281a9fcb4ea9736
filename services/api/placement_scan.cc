#include "services/api/placement_scan.h"

#include <algorithm>

#include "libs/common/status_macros.h"
#include "libs/storage/keys.h"

namespace keyferry {

PlacementScan PlacementScan::OfPending(const Store& store, const std::string& region, const std::optional<RowKey>& low_water) {
  RowKey prefix = keys::PendingIn(region);
  std::string end = PrefixEnd(prefix.bytes);
  return {store, Of::kPending, low_water.value_or(std::move(prefix)), std::move(end)};
}

PlacementScan PlacementScan::OfDueRetries(const Store& store, const std::string& region, absl::Time now) {
  return {store, Of::kRetries, keys::RetriesIn(region), keys::Retry(region, absl::ToUnixMillis(now) + 1, 0, ObjectId{}).bytes};
}

PlacementScan PlacementScan::OfAll(const Store& store, const std::string& region) {
  RowKey prefix = keys::DesiredIn(region);
  std::string end = PrefixEnd(prefix.bytes);
  return {store, Of::kAll, std::move(prefix), std::move(end)};
}

absl::StatusOr<std::vector<ObjectId>> PlacementScan::Next(size_t limit) {
  ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, store_->Scan(begin_, end_, limit));
  std::vector<ObjectId> objects;
  for (const KeyedRow& row : rows) {
    if (std::optional<ObjectId> object = ObjectIn(row.key)) objects.push_back(*std::move(object));
  }
  if (!rows.empty()) {
    begin_ = rows.back().key;
    begin_.bytes.push_back('\0');
  }
  return objects;
}

std::optional<ObjectId> PlacementScan::ObjectIn(const RowKey& key) const {
  if (of_ == Of::kAll) return keys::ObjectOf(key);
  std::optional<keys::PendingEntry> entry = of_ == Of::kPending ? keys::ParsePending(key) : keys::ParseRetry(key);
  if (!entry) return std::nullopt;
  return std::move(entry->object);
}

absl::StatusOr<Unsettled> SurveyUnsettled(const Store& store, const std::string& region, const std::optional<RowKey>& low_water,
                                          uint64_t lineage) {
  const Revision head = store.Head();
  // Pending before Retry: an entry that moves meanwhile moves that way and is seen at least once.
  const RowKey pending_prefix = keys::PendingIn(region);
  ASSIGN_OR_RETURN(const std::vector<KeyedRow> pending,
                   store.Scan(low_water.value_or(pending_prefix), PrefixEnd(pending_prefix.bytes), kMaxUnsettledCounted));
  const RowKey retry_prefix = keys::RetriesIn(region);
  ASSIGN_OR_RETURN(const std::vector<KeyedRow> retries,
                   store.Scan(retry_prefix, PrefixEnd(retry_prefix.bytes), kMaxUnsettledCounted));

  Unsettled unsettled{.count = static_cast<int64_t>(std::min(pending.size() + retries.size(), kMaxUnsettledCounted)),
                      .unknown_floor = retries.size() == kMaxUnsettledCounted,
                      .low_water = pending.empty() ? keys::Pending(region, head, ObjectId{}) : pending.front().key};
  const auto lower = [&](const std::optional<keys::PendingEntry>& entry) {
    if (!entry) return;
    const uint64_t revision = WithLineage(entry->revision, lineage);
    if (unsettled.lowest_revision && *unsettled.lowest_revision <= revision) return;
    unsettled.lowest_revision = revision;
    unsettled.lowest_object = entry->object;
  };
  if (!pending.empty()) lower(keys::ParsePending(pending.front().key));
  for (const KeyedRow& row : retries) lower(keys::ParseRetry(row.key));
  return unsettled;
}

}  // namespace keyferry

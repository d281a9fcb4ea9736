#include "services/api/placement_scan.h"

#include <algorithm>

#include "libs/common/limits.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

// Above the longest key of a placement.
constexpr size_t kMaxKeyBytes = 512;

}  // namespace

PlacementScan PlacementScan::OfPending(const Store& store, const std::string& region, const std::optional<RowKey>& low_water) {
  RowKey prefix = keys::PendingIn(region);
  std::string end = PrefixEnd(prefix.bytes);
  return {store, Of::kPending, low_water.value_or(std::move(prefix)), std::move(end)};
}

PlacementScan PlacementScan::OfDueRetries(const Store& store, const std::string& region, absl::Time now) {
  return {store, Of::kRetries, keys::RetriesIn(region), keys::Retry(region, absl::ToUnixMillis(now) + 1, 0, ObjectId{}).bytes};
}

PlacementScan PlacementScan::OfStrandedRetries(const Store& store, const std::string& region, absl::Time now) {
  RowKey begin = keys::Retry(region, absl::ToUnixMillis(now + kMaxRetryDelay) + 1, 0, ObjectId{});
  return {store, Of::kRetries, std::move(begin), PrefixEnd(keys::RetriesIn(region).bytes)};
}

PlacementScan PlacementScan::OfAll(const Store& store, const std::string& region) {
  RowKey prefix = keys::DesiredIn(region);
  std::string end = PrefixEnd(prefix.bytes);
  return {store, Of::kAll, std::move(prefix), std::move(end)};
}

absl::StatusOr<std::vector<ObjectId>> PlacementScan::Next(size_t limit) {
  at_end_ = false;
  absl::StatusOr<std::vector<KeyedRow>> page = store_->Scan(begin_, end_, limit);
  const bool stepping = absl::IsDataLoss(page.status());
  if (stepping && limit > 1) page = store_->Scan(begin_, end_, 1);
  if (absl::IsDataLoss(page.status())) return NextDamaged(page.status());
  ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, std::move(page));
  at_end_ = !stepping && rows.size() < limit;
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

// The store does not tell the key of the row that it cannot open, but a scan that ends at or before that key finds nothing and does not
// fail. So the key is felt out, byte by byte.
absl::StatusOr<std::vector<ObjectId>> PlacementScan::NextDamaged(const absl::Status& damage) {
  const auto lies_below = [&](const std::string& end) {
    return end > begin_.bytes && absl::IsDataLoss(store_->Scan(begin_, end, 1).status());
  };
  RowKey key = begin_;
  key.bytes.clear();
  while (key.bytes.size() <= kMaxKeyBytes && !lies_below(key.bytes + '\0')) {
    int low = 0;
    for (int high = 256; high - low > 1;) {
      const int middle = (low + high) / 2;
      (lies_below(key.bytes + static_cast<char>(middle)) ? high : low) = middle;
    }
    key.bytes.push_back(static_cast<char>(low));
  }
  // No row has the key where the scan goes on: then it is not one row that is damaged.
  const std::optional<ObjectId> object = ObjectIn(key);
  if (key.bytes <= begin_.bytes || key.bytes.size() > kMaxKeyBytes || !object) return damage;
  Log(Severity::kError, "placement_damaged", {{"organization", object->organization}, {"object", object->name}, {"error", damage}});
  begin_.bytes = key.bytes + '\0';
  return std::vector<ObjectId>{*object};
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

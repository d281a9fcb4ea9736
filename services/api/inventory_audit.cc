#include "services/api/inventory_audit.h"

#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/limits.h"
#include "libs/common/log.h"
#include "services/api/placement_rows.h"
#include "services/api/provisioning_messages.h"

namespace keyferry {
namespace {

constexpr size_t kObjectsPerTurn = 256;

}  // namespace

InventoryAudit::InventoryAudit(const FeedSettings& settings, Findings findings)
    : settings_(settings), findings_(std::move(findings)) {}

void InventoryAudit::Begin() {
  ++run_;
  step_ = Step::kAwaitHashes;
  begin_time_ = settings_.clock.Now();
  v1::ApiMessage message;
  message.mutable_inventory_request();
  settings_.send(message);
}

void InventoryAudit::Received(const v1::Inventory& inventory) {
  if (step_ == Step::kAwaitHashes && inventory.bucket_hashes_size() == kInventoryBuckets) {
    std::copy(inventory.bucket_hashes().begin(), inventory.bucket_hashes().end(), theirs_.begin());
    ours_.fill(0);
    strays_.clear();
    placed_count_ = 0;
    return Walk(Step::kHash);
  }
  if (step_ != Step::kAwaitEntries) return;
  for (const v1::InventoryEntry& entry : inventory.entries()) {
    const std::optional<ObjectId> object = FromWire(entry.object());
    if (object && asked_.contains(InventoryBucket(*object))) entries_[*object] = entry.revision();
  }
  if (entries_.size() > kMaxInventoryEntries) {
    Log(Severity::kError, "inventory_too_large", {{"region", settings_.region}, {"entries", entries_.size()}});
    step_ = Step::kIdle;
  } else if (!inventory.more()) {
    Walk(Step::kCompare);
  }
}

void InventoryAudit::Stop() {
  ++run_;
  step_ = Step::kIdle;
  findings_ = {};
}

void InventoryAudit::Walk(Step step) {
  step_ = step;
  settings_.strand->MoveTo(settings_.writer.executor);
  scan_ = PlacementScan::OfAll(settings_.writer.store, settings_.region);
  WalkPage(run_);
}

void InventoryAudit::WalkPage(int run) {
  if (run != run_ || !walking()) return;
  const absl::StatusOr<std::vector<ObjectId>> page = scan_->Next(kObjectsPerTurn);
  if (!page.ok()) {
    Log(Severity::kError, "inventory_not_compared", {{"region", settings_.region}, {"error", page.status()}});
    step_ = Step::kIdle;
    return;
  }
  for (const ObjectId& object : *page) step_ == Step::kHash ? Hash(object) : Compare(object);
  if (page->empty()) return step_ == Step::kHash ? Hashed() : Compared();
  settings_.strand->Run([self = shared_from_this(), run] { self->WalkPage(run); });
}

void InventoryAudit::Hash(const ObjectId& object) {
  ++placed_count_;
  if (const std::optional<uint64_t> revision = ReadySince(object, absl::InfiniteFuture())) {
    ours_[InventoryBucket(object)] += ObjectRevisionHash(object, *revision);
  }
}

void InventoryAudit::Compare(const ObjectId& object) {
  if (!asked_.contains(InventoryBucket(object))) return;
  const auto entry = entries_.find(object);
  const uint64_t held = entry == entries_.end() ? 0 : entry->second;
  if (entry != entries_.end()) entries_.erase(entry);
  const std::optional<uint64_t> revision = ReadySince(object, begin_time_);
  if (revision && *revision != held) lost_.push_back(object);
}

void InventoryAudit::Hashed() {
  to_ask_.clear();
  for (int bucket = 0; bucket < kInventoryBuckets; ++bucket) {
    if (ours_[bucket] != theirs_[bucket]) to_ask_.push_back(bucket);
  }
  AskForBuckets();
}

void InventoryAudit::Compared() {
  for (const auto& [object, revision] : entries_) strays_.push_back(object);
  if (!lost_.empty()) findings_.lost(std::move(lost_));
  AskForBuckets();
}

// Absence from the store is no licence for a mass delete: the store may be the one that is wrong.
void InventoryAudit::ReportStrays() {
  const size_t held_count = placed_count_ + strays_.size();
  if (static_cast<double>(strays_.size()) <= kMaxSweepFraction * static_cast<double>(held_count)) {
    return findings_.stray(std::move(strays_));
  }
  Log(Severity::kError, "strays_not_deleted",
      {{"region", settings_.region}, {"strays", strays_.size()}, {"placed", placed_count_},
       {"mend", "if they are to go: Resync with allow_mass_delete"}});
}

void InventoryAudit::AskForBuckets() {
  entries_.clear();
  lost_.clear();
  asked_.clear();
  step_ = to_ask_.empty() ? Step::kIdle : Step::kAwaitEntries;
  if (to_ask_.empty()) return strays_.empty() ? void() : ReportStrays();
  v1::ApiMessage message;
  v1::InventoryRequest& request = *message.mutable_inventory_request();
  while (!to_ask_.empty() && asked_.size() < kMaxBucketsAsked) {
    request.add_buckets(to_ask_.back());
    asked_.insert(to_ask_.back());
    to_ask_.pop_back();
  }
  settings_.send(message);
}

std::optional<uint64_t> InventoryAudit::ReadySince(const ObjectId& object, absl::Time latest) const {
  const absl::StatusOr<PlacementRows> rows =
      PeekPlacementRows(settings_.writer.store, settings_.region, object, settings_.writer.term().lineage);
  if (!rows.ok() || !rows->desired) return std::nullopt;
  if (ReadinessOf(*rows->desired, rows->observed, settings_.target_incarnation) != Readiness::kReady) return std::nullopt;
  if (rows->observed->observed_time >= latest) return std::nullopt;
  return rows->desired->revision;
}

}  // namespace keyferry

#include "tests/simulation/sim_region_store.h"

#include <algorithm>
#include <utility>

#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

constexpr size_t kIncarnationBytes = 16;
constexpr int kCommitsPerOlderCopy = 5;

bool IsLive(const RegionObject& object) { return object.version.operation == Operation::kApply; }
bool IsObjectKey(const std::string& key) { return key.compare(0, 1, kObjectPrefix) == 0; }

}  // namespace

SimRegionStore::SimRegionStore(Options options) : options_(std::move(options)) {
  std::map<std::string, std::string>& rows = options_.disk.rows;
  if (const auto meta = rows.find(kMetaKey); meta != rows.end()) meta_row_ = DecodeMetaRow(meta->second).value();
  RowTotals totals;
  for (const auto& [key, frame] : rows) {
    if (IsObjectKey(key)) totals.Add(frame);
  }
  if (totals != meta_row_.totals) std::abort();
  const bool tail_lost = std::exchange(options_.disk.tail_lost, false);
  if (!meta_row_.meta.target_incarnation.empty() && !tail_lost) return;
  meta_row_.region = options_.region;
  meta_row_.meta.target_incarnation = RandomBytes(kIncarnationBytes);
  Write({});
}

absl::StatusOr<std::optional<RegionObject>> SimRegionStore::Get(const ObjectId& id) const {
  const auto row = options_.disk.rows.find(ObjectKey(id));
  if (row == options_.disk.rows.end()) return std::nullopt;
  ASSIGN_OR_RETURN(RegionObject object, DecodeObjectRow(row->first, row->second));
  return object;
}

absl::Status SimRegionStore::ForEach(const std::optional<ObjectId>& after,
                                     const std::function<bool(const RegionObject&)>& visit) const {
  const std::map<std::string, std::string>& rows = options_.disk.rows;
  for (auto row = rows.lower_bound(after ? ObjectKey(*after) + '\0' : kObjectPrefix);
       row != rows.end() && IsObjectKey(row->first); ++row) {
    ASSIGN_OR_RETURN(const RegionObject object, DecodeObjectRow(row->first, row->second));
    if (!visit(object)) break;
  }
  return absl::OkStatus();
}

size_t SimRegionStore::object_count() const {
  size_t count = 0;
  ForEach(std::nullopt, [&](const RegionObject& object) {
    count += IsLive(object);
    return true;
  }).IgnoreError();
  return count;
}

absl::StatusOr<std::vector<Verdict>> SimRegionStore::Commit(const std::vector<RegionObject>& changes) {
  std::map<std::string, std::optional<std::string>> batch;
  std::vector<Verdict> verdicts;
  std::vector<ObjectId> changed;
  const MetaRow before = meta_row_;
  for (const RegionObject& change : changes) {
    ASSIGN_OR_RETURN(const std::optional<RegionObject> held, Get(change.id));
    verdicts.push_back(
        Judge(change.version, held ? std::optional(held->version) : std::nullopt, meta_row_.meta.settled_floor));
    if (verdicts.back() != Verdict::kApply && verdicts.back() != Verdict::kDelete) continue;
    const std::string key = ObjectKey(change.id);
    if (held) meta_row_.totals.Remove(options_.disk.rows.at(key));
    if (held && !IsLive(*held)) batch[TombstoneKey(held->version.revision, held->id)] = std::nullopt;
    meta_row_.meta.max_revision_seen = std::max(meta_row_.meta.max_revision_seen, change.version.revision);
    changed.push_back(change.id);
    if (!IsLive(change) && options_.bug == Bug::kTombstonesForgotten) {
      batch[key] = std::nullopt;
      continue;
    }
    if (!IsLive(change)) batch[TombstoneKey(change.version.revision, change.id)] = "";
    const std::string frame = EncodeObjectRow(change);
    meta_row_.totals.Add(frame);
    batch[key] = frame;
  }
  if (changed.empty()) return verdicts;
  try {
    options_.before_commit();
  } catch (...) {
    meta_row_ = before;
    throw;
  }
  Write(batch);
  options_.on_change(changed);
  options_.after_commit();
  return verdicts;
}

absl::Status SimRegionStore::RaiseFloor(uint64_t settled_floor) {
  if (settled_floor <= meta_row_.meta.settled_floor) return absl::OkStatus();
  meta_row_.meta.settled_floor = settled_floor;
  std::map<std::string, std::optional<std::string>> batch;
  const auto& rows = options_.disk.rows;
  const std::string end = PastTombstones(settled_floor);
  for (auto row = rows.lower_bound(kTombstonePrefix); row != rows.end() && row->first < end; ++row) {
    const std::string key = ObjectKeyOfTombstone(row->first);
    if (const auto object = rows.find(key); object != rows.end()) meta_row_.totals.Remove(object->second);
    batch[key] = std::nullopt;
    batch[row->first] = std::nullopt;
  }
  Write(batch);
  return absl::OkStatus();
}

void SimRegionStore::Write(const std::map<std::string, std::optional<std::string>>& batch) {
  RegionDisk& disk = options_.disk;
  if (++commit_count_ % kCommitsPerOlderCopy == 0) disk.older_rows = disk.rows;
  for (const auto& [key, value] : batch) {
    if (value) {
      disk.rows[key] = *value;
    } else {
      disk.rows.erase(key);
    }
  }
  disk.rows[kMetaKey] = EncodeMetaRow(meta_row_);
  if (options_.bug != Bug::kAckBeforeCommit || commit_count_ % kCommitsPerOlderCopy == 1) disk.synced_rows = disk.rows;
}

}  // namespace keyferry

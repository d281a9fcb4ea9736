#include "libs/storage/row_cache.h"

#include <string_view>
#include <utility>

namespace keyferry {
namespace {

constexpr size_t kMaxValueBytesKept = 16 * 1024;
// Nodes, pointers and string headers of one entry, about.
constexpr size_t kEntryOverheadBytes = 200;

// Index entries and audit records are found by scans: they would only drive out what is looked up.
bool IsLookedUp(const RowKey& key) { return key.family != Family::kPending && key.family != Family::kAudit; }

size_t Cost(const RowKey& key, const RowCache::Entry& entry) {
  return kEntryOverheadBytes + 2 * key.bytes.size() + (entry.value ? entry.value->size() : 0);
}

}  // namespace

size_t RowCache::Hash::operator()(const RowKey& key) const {
  return std::hash<std::string_view>()(key.bytes) ^ static_cast<size_t>(key.family) * 0x9e3779b97f4a7c15;
}

RowCache::RowCache(size_t max_bytes) : max_shard_bytes_(max_bytes / std::tuple_size<decltype(shards_)>()) {}

RowCache::Lookup RowCache::Find(const RowKey& key) {
  Shard& shard = ShardOf(key);
  absl::MutexLock lock(&shard.mutex);
  Lookup lookup{.ticket = shard.write_count};
  if (const auto found = shard.index.find(key); found != shard.index.end()) {
    shard.nodes.splice(shard.nodes.begin(), shard.nodes, found->second);
    lookup.entry = found->second->entry;
  }
  return lookup;
}

std::optional<Revision> RowCache::RevisionOf(const RowKey& key) {
  Shard& shard = ShardOf(key);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) return std::nullopt;
  shard.nodes.splice(shard.nodes.begin(), shard.nodes, found->second);
  return found->second->entry.revision;
}

void RowCache::Offer(const RowKey& key, uint64_t ticket, Entry entry) {
  if (!IsLookedUp(key)) return;
  Shard& shard = ShardOf(key);
  absl::MutexLock lock(&shard.mutex);
  if (shard.writes_under_way == 0 && shard.write_count == ticket) Insert(shard, key, std::move(entry));
}

void RowCache::BeginWrite(const Written& rows) {
  for (const auto& [key, entry] : rows) {
    if (!IsLookedUp(key)) continue;
    Shard& shard = ShardOf(key);
    absl::MutexLock lock(&shard.mutex);
    ++shard.writes_under_way;
    Remove(shard, key);
  }
}

void RowCache::EndWrite(const Written& rows) {
  for (const auto& [key, entry] : rows) {
    if (!IsLookedUp(key)) continue;
    Shard& shard = ShardOf(key);
    absl::MutexLock lock(&shard.mutex);
    --shard.writes_under_way;
    ++shard.write_count;
    Insert(shard, key, entry);
  }
}

void RowCache::Remove(Shard& shard, const RowKey& key) {
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) return;
  shard.bytes -= Cost(key, found->second->entry);
  shard.nodes.erase(found->second);
  shard.index.erase(found);
}

void RowCache::Insert(Shard& shard, const RowKey& key, Entry entry) {
  Remove(shard, key);
  if (entry.value && entry.value->size() > kMaxValueBytesKept) entry.value = nullptr;
  shard.bytes += Cost(key, entry);
  shard.nodes.push_front({key, std::move(entry)});
  shard.index.emplace(key, shard.nodes.begin());
  while (shard.bytes > max_shard_bytes_) Remove(shard, RowKey(shard.nodes.back().key));
}

}  // namespace keyferry

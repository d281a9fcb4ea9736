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

RowCache::Probe::Probe(const RowKey& key)
    : family(key.family), hash(std::hash<std::string_view>()(key.bytes) ^ static_cast<size_t>(key.family) * 0x9e3779b97f4a7c15), bytes(key.bytes) {}

RowCache::RowCache(size_t max_bytes) : max_shard_bytes_(max_bytes / std::tuple_size<decltype(shards_)>()) {}

RowCache::Lookup RowCache::Find(const RowKey& key) {
  const Probe probe(key);
  Shard& shard = ShardOf(probe);
  absl::MutexLock lock(&shard.mutex);
  Lookup lookup{.ticket = shard.write_count};
  if (const Node* node = Use(shard, probe)) lookup.entry = node->entry;
  return lookup;
}

std::optional<Revision> RowCache::RevisionOf(const RowKey& key) {
  const Probe probe(key);
  Shard& shard = ShardOf(probe);
  absl::MutexLock lock(&shard.mutex);
  const Node* node = Use(shard, probe);
  return node == nullptr ? std::nullopt : std::optional(node->entry.revision);
}

std::optional<Revision> RowCache::PeekRevisionOf(const RowKey& key) {
  const Probe probe(key);
  Shard& shard = ShardOf(probe);
  absl::MutexLock lock(&shard.mutex);
  const auto node = Shown(shard, probe);
  return node == shard.nodes.end() ? std::nullopt : std::optional(node->entry.revision);
}

void RowCache::Offer(const RowKey& key, uint64_t ticket, Entry entry) {
  if (!IsLookedUp(key)) return;
  const Probe probe(key);
  Shard& shard = ShardOf(probe);
  absl::MutexLock lock(&shard.mutex);
  if (shard.writes_under_way == 0 && shard.write_count == ticket) Put(shard, key, probe, std::move(entry));
}

void RowCache::BeginWrite(const Written& rows) {
  for (const auto& [key, entry] : rows) {
    if (!IsLookedUp(key)) continue;
    const Probe probe(key);
    Shard& shard = ShardOf(probe);
    absl::MutexLock lock(&shard.mutex);
    ++shard.writes_under_way;
    if (const auto found = shard.index.find(probe); found != shard.index.end()) found->second->is_written = true;
  }
}

void RowCache::EndWrite(const Written& rows) {
  for (const auto& [key, entry] : rows) {
    if (!IsLookedUp(key)) continue;
    const Probe probe(key);
    Shard& shard = ShardOf(probe);
    absl::MutexLock lock(&shard.mutex);
    --shard.writes_under_way;
    ++shard.write_count;
    Put(shard, key, probe, entry);
  }
}

RowCache::Nodes::iterator RowCache::Shown(Shard& shard, const Probe& probe) {
  const auto found = shard.index.find(probe);
  return found == shard.index.end() || found->second->is_written ? shard.nodes.end() : found->second;
}

const RowCache::Node* RowCache::Use(Shard& shard, const Probe& probe) {
  const auto node = Shown(shard, probe);
  if (node == shard.nodes.end()) return nullptr;
  shard.nodes.splice(shard.nodes.begin(), shard.nodes, node);
  return &*node;
}

void RowCache::Put(Shard& shard, const RowKey& key, const Probe& probe, Entry entry) {
  if (entry.value && entry.value->size() > kMaxValueBytesKept) entry.value = nullptr;
  shard.bytes += Cost(key, entry);
  if (const auto found = shard.index.find(probe); found != shard.index.end()) {
    Node& node = *found->second;
    shard.bytes -= Cost(key, node.entry);
    node.entry = std::move(entry);
    node.is_written = false;
    shard.nodes.splice(shard.nodes.begin(), shard.nodes, found->second);
  } else {
    shard.nodes.push_front({.key = key, .entry = std::move(entry)});
    shard.index.emplace(Probe(shard.nodes.front().key), shard.nodes.begin());
  }
  while (shard.bytes > max_shard_bytes_) {
    const Node& oldest = shard.nodes.back();
    shard.bytes -= Cost(oldest.key, oldest.entry);
    shard.index.erase(Probe(oldest.key));
    shard.nodes.pop_back();
  }
}

}  // namespace keyferry

// Rows that were lately read or written, absent ones included: what a precondition compares with and what a read finds
// without RocksDB.
//
// Invariants:
//   R1  What it shows is what the database holds: a row is not shown while a write of it is under way, and what a reader
//       found counts only if nothing of its shard was written since the reader asked.
//   R2  It never exceeds its bound; least recently used goes first.
//   R3  It holds no row of the families that are read by scans, Family::kPending and Family::kAudit.
//
// Thread safety: all methods from any thread; BeginWrite and EndWrite in pairs from one at a time.
#ifndef KEYFERRY_STORAGE_ROW_CACHE_H_
#define KEYFERRY_STORAGE_ROW_CACHE_H_

#include <array>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/storage/store.h"

namespace keyferry {

class RowCache {
 public:
  struct Entry {
    // 0: the row is absent.
    Revision revision = 0;
    // Null when absent, and when too large to keep.
    std::shared_ptr<const std::string> value;
    bool absent() const { return revision == 0; }
  };
  struct Lookup {
    std::optional<Entry> entry;
    // For Offer.
    uint64_t ticket = 0;
  };
  using Written = std::map<RowKey, Entry>;

  explicit RowCache(size_t max_bytes);

  Lookup Find(const RowKey& key);
  // 0: the row is absent. nullopt: it is not here.
  std::optional<Revision> RevisionOf(const RowKey& key);
  // The same, for a look that is no use of the row.
  std::optional<Revision> PeekRevisionOf(const RowKey& key);
  // What the database held at some time since the ticket was drawn.
  void Offer(const RowKey& key, uint64_t ticket, Entry entry);

  // Around the write that makes these rows so.
  void BeginWrite(const Written& rows);
  void EndWrite(const Written& rows);

 private:
  // A key with its hash, which finds the shard and the row in it; the bytes are another's.
  struct Probe {
    explicit Probe(const RowKey& key);
    Family family;
    size_t hash;
    std::string_view bytes;
    friend bool operator==(const Probe&, const Probe&) = default;
  };
  struct HashOf {
    size_t operator()(const Probe& probe) const noexcept { return probe.hash; }
  };
  struct Node {
    RowKey key;
    Entry entry;
    bool is_written = false;  // a write of it is under way
  };
  using Nodes = std::list<Node>;
  struct Shard {
    absl::Mutex mutex;
    Nodes nodes ABSL_GUARDED_BY(mutex);  // most recently used first
    // Keys are the nodes' own.
    std::unordered_map<Probe, Nodes::iterator, HashOf> index ABSL_GUARDED_BY(mutex);
    size_t bytes ABSL_GUARDED_BY(mutex) = 0;
    uint64_t write_count ABSL_GUARDED_BY(mutex) = 0;
    int writes_under_way ABSL_GUARDED_BY(mutex) = 0;
  };

  Shard& ShardOf(const Probe& probe) { return shards_[probe.hash % shards_.size()]; }
  // shard.nodes.end() when it is not there or not shown.
  static Nodes::iterator Shown(Shard& shard, const Probe& probe) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // Null when it is not shown; it is the most recently used one from then on.
  static const Node* Use(Shard& shard, const Probe& probe) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  void Put(Shard& shard, const RowKey& key, const Probe& probe, Entry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  const size_t max_shard_bytes_;
  std::array<Shard, 256> shards_;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_ROW_CACHE_H_

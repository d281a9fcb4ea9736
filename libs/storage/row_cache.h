// Rows that were lately read or written, absent ones included: what a precondition compares with and what a read finds
// without RocksDB.
//
// Invariants:
//   R1  What it holds is what the database holds: a row is out while a write of it is under way, and what a reader
//       found counts only if nothing of its shard was written since the reader asked.
//   R2  It never exceeds its bound; least recently used goes first.
//   R3  It holds no row of the families that are read by scans, Family::kPending and Family::kAudit.
//
// Thread safety: all methods from any thread; BeginWrite and EndWrite in pairs from one.
#ifndef KEYFERRY_STORAGE_ROW_CACHE_H_
#define KEYFERRY_STORAGE_ROW_CACHE_H_

#include <array>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
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
  // What the database held at some time since the ticket was drawn.
  void Offer(const RowKey& key, uint64_t ticket, Entry entry);

  // Around the write that makes these rows so.
  void BeginWrite(const Written& rows);
  void EndWrite(const Written& rows);

 private:
  struct Node {
    RowKey key;
    Entry entry;
  };
  struct Hash {
    size_t operator()(const RowKey& key) const;
  };
  struct Shard {
    absl::Mutex mutex;
    std::list<Node> nodes ABSL_GUARDED_BY(mutex);  // most recently used first
    std::unordered_map<RowKey, std::list<Node>::iterator, Hash> index ABSL_GUARDED_BY(mutex);
    size_t bytes ABSL_GUARDED_BY(mutex) = 0;
    uint64_t write_count ABSL_GUARDED_BY(mutex) = 0;
    int writes_under_way ABSL_GUARDED_BY(mutex) = 0;
  };

  Shard& ShardOf(const RowKey& key) { return shards_[Hash()(key) % shards_.size()]; }
  static void Remove(Shard& shard, const RowKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  void Insert(Shard& shard, const RowKey& key, Entry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  const size_t max_shard_bytes_;
  std::array<Shard, 256> shards_;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_ROW_CACHE_H_

// RocksDB as rows: one column family a Family, framed values, and the head (revision and term) that travels in every
// batch. Knows nothing of preconditions or queues.
//
// Thread safety: reads from any thread; writes from one thread at a time.
#ifndef KEYFERRY_STORAGE_ROCKS_DATABASE_H_
#define KEYFERRY_STORAGE_ROCKS_DATABASE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/storage/store.h"

namespace keyferry {

class RocksDatabase {
 public:
  // What the newest batch said.
  struct HeadState {
    Revision head = 0;
    uint64_t term = 0;
  };

  // Rows that become durable together.
  class Batch {
   public:
    virtual ~Batch() = default;
    virtual void Put(const RowKey& key, Revision revision, const std::string& value) = 0;
    virtual void Erase(const RowKey& key) = 0;
    virtual size_t bytes() const = 0;
  };

  // Creates an empty one where there is none. DataLoss, Unavailable.
  static absl::StatusOr<std::unique_ptr<RocksDatabase>> Open(const std::string& directory);
  virtual ~RocksDatabase() = default;

  // As found on opening.
  virtual HeadState recovered() const = 0;

  virtual absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const = 0;
  virtual absl::StatusOr<size_t> Count(const RowKey& begin, const std::string& end) const = 0;
  virtual absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end,
                                                     size_t limit) const = 0;

  // Grows beyond what is reserved for keys and values.
  virtual std::unique_ptr<Batch> NewBatch(size_t reserved_bytes) = 0;
  // Durable when it returns; readers see all of it or nothing. Ends the process when it fails (FailStop).
  virtual void Write(Batch& batch, const HeadState& head) = 0;

  // A copy with every file synced. AlreadyExists, Unavailable.
  virtual absl::Status Checkpoint(const std::string& directory) = 0;

  // As Store::Purge; not beside Checkpoint, which keeps files. From any thread.
  virtual absl::Status Purge(const std::vector<KeyRange>& ranges) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_ROCKS_DATABASE_H_

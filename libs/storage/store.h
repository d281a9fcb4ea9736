// Store: ordered rows of bytes behind seven calls. Everything above it is engine-neutral; nothing above it knows of
// write-ahead logs, sequence numbers, snapshots or watches.
//
// Invariants, held by every implementation and checked by testing/store_conformance.h:
//   S1  A commit is atomic, durable when it is answered OK, and linearizable with every other commit and Get.
//   S2  Each successful commit has a revision of its own, larger than all before it, also across restarts, and stamps
//       it on every row it writes. Revisions are lineage(16) | sequence(48); nothing reuses one.
//   S3  A commit of another term than the newest answers Aborted and writes nothing.
//   S4  Get and Scan see every commit that was answered, and none that is not durable. Reads never go back in time.
//
// Thread safety: all methods may be called from any thread.
#ifndef KEYFERRY_STORAGE_STORE_H_
#define KEYFERRY_STORAGE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/storage/row.h"

namespace keyferry {

struct Precondition {
  RowKey key;
  // The row must have been written by exactly this revision; 0: it must be absent.
  Revision revision = 0;
};

struct Mutation {
  RowKey key;
  // Absent: erase; erasing an absent row is no error.
  std::optional<std::string> value;
  // Where in key.bytes the commit's revision goes (8 bytes, big-endian, over placeholder bytes); npos: nowhere.
  size_t revision_offset = std::string::npos;
  // The row's value changes its form, not its meaning (it was sealed again): it keeps the revision that it has, and no ring tells of it. Needs a
  // value and a precondition on the same key with a revision above 0 (InvalidArgument).
  bool keep_revision = false;
};

// Distinguishes writers in time: a new one fences every older one.
struct Term {
  uint64_t number = 0;
  uint64_t lineage = 0;
};

struct Commit {
  Term term;
  std::vector<Precondition> preconditions;
  std::vector<Mutation> mutations;
};

enum class Lineage {
  kKeep,
  // After a rewind (a restored backup): all later revisions are larger than any revision before.
  kNext,
};

class Store {
 public:
  // Ends with the subscription: after the destructor returns, the function is not running and never will.
  // REQUIRES: destroyed before the store, and not from within its own function.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  // Called once, on a thread of the store, never inside Commit, but for a thread that gave leave (commit_here.h); must not block.
  using CommitDone = std::function<void(absl::StatusOr<Revision>)>;

  virtual ~Store() = default;
  // Makes the caller the writer, durably. Unavailable when another process holds the store. Lineages begin with 1; with
  // kNext the head becomes its own sequence in the next lineage.
  virtual absl::StatusOr<Term> AcquireWriter(Lineage lineage) = 0;

  // Aborted: CONCURRENT_MODIFICATION (a precondition does not hold) or STALE_TERM. ResourceExhausted: STORE_BUSY (the
  // queue is full) or DISK_FULL. DataLoss: a precondition's row is damaged. Nothing was written then. InvalidArgument:
  // a mutation's revision_offset is outside its key, or a key occurs twice.
  virtual void CommitAsync(Commit commit, CommitDone done) = 0;

  // nullopt when absent. DataLoss when the row does not pass its check.
  virtual absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const = 0;
  // The revision that Get would find now, 0 when absent, under S4; nullopt where telling it takes more than memory. Never waits for the disk.
  virtual std::optional<Revision> RevisionInMemory(const RowKey&) const { return std::nullopt; }

  // Rows of [begin, end) of one family in order, at most limit (1 or more). DataLoss as in Get.
  virtual absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const = 0;
  // How many rows there are in [begin, end) of one family, without reading what is in them.
  virtual absl::StatusOr<size_t> Count(const RowKey& begin, const std::string& end) const;

  // ring is called after commits that write in [begin, end) of the family; a hint, which may coalesce and ring for nothing, but never misses the
  // last change. Must not block.
  [[nodiscard]] virtual std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) = 0;

  // Revision of the last answered commit.
  virtual Revision Head() const = 0;
  // No row that anybody has read is above it. Head, but for moments in which a commit can be read and is not answered yet.
  virtual Revision Ceiling() const { return Head(); }

  // A consistent copy into a directory that must not exist yet; opens as a store of its own.
  virtual absl::Status Backup(const std::string& directory) = 0;

  // When it is OK, the store's files hold no byte of a value that was erased or replaced in these ranges before the call; keys may still be
  // named. Takes as long as writing the ranges anew; commits go on beside it. Copies that Backup made are the caller's. Unavailable: the disk.
  virtual absl::Status Purge(const std::vector<KeyRange>& ranges) = 0;
};

// Blocks the caller until the commit is answered.
absl::StatusOr<Revision> CommitAndWait(Store& store, Commit commit);

// The smallest key above every key with this prefix; empty when there is none.
std::string PrefixEnd(std::string prefix);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_STORE_H_

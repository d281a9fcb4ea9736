// Shredder: takes the bytes of what was deleted for good (ShredRows) out of the store's files: out of its logs and tables, where a deleted row lives on
// until they are written anew. When none is left, the ShredRow gets its shred_time, in one commit with its audit record (`Shredder/Shred`).
//
// Invariants:
//   H1  shred_time is set only after a Purge that began when the rows were gone, and while no copy of the store's files is in `copies`.
//   H2  An organization is shredded only when its deletion (organization_deletion.h) has ended: its key row is among what goes.
//   H3  A ShredRow is dropped only when it has its shred_time.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_SHREDDER_H_
#define KEYFERRY_SERVICES_API_SHREDDER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "services/api/transaction.h"

namespace keyferry {

// The promise: from a delete on, so long until nothing of it can be read from the live store. What takes longer is logged as an error.
inline constexpr absl::Duration kShredDeadline = absl::Minutes(15);
inline constexpr absl::Duration kShredInterval = absl::Minutes(1);
// The rest waits for the next round.
inline constexpr size_t kMaxShredsPerRound = 1000;
// More ranges of a family than that are purged as one.
inline constexpr size_t kMaxPurgedRanges = 8;
// Where no shred ledger takes them: so long one that is configured later still finds them.
inline constexpr absl::Duration kShredRowLife = absl::Hours(30 * 24);

struct ShredderOptions {
  // writer.store is the barrier's. All outlive it.
  Writer writer;
  const Clock& clock;
  absl::Duration interval = kShredInterval;
  // Paths that hold copies of the store's files as long as they exist: a backup's checkpoint.
  std::vector<std::string> copies;
  // Rows that were shredded so long ago are dropped. Infinite where there is a shred ledger: what copies it drops them (shred_copier.h).
  absl::Duration forget_after = absl::InfiniteDuration();
};

class Shredder {
 public:
  // A round each interval, on a thread of its own.
  static std::unique_ptr<Shredder> Start(ShredderOptions options);
  // Waits for a round that is under way.
  virtual ~Shredder() = default;

  // One round; how many were shredded. Unavailable: a copy was there; the next round tries again. Else the store's error.
  virtual absl::StatusOr<int> ShredNow() = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SHREDDER_H_

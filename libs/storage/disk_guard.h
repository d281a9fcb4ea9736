// Refuses writes while the disk is nearly full, because RocksDB does not survive a full one, and keeps a ballast file
// whose space lets the store be opened again when it is full all the same.
//
// Thread safety: Check from one thread at a time.
#ifndef KEYFERRY_STORAGE_DISK_GUARD_H_
#define KEYFERRY_STORAGE_DISK_GUARD_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"

namespace keyferry {

class DiskGuard {
 public:
  struct Options {
    uint64_t min_free_bytes = uint64_t{512} << 20;
    // 0: none.
    uint64_t ballast_bytes = uint64_t{64} << 20;
    // nullopt when it cannot be told. Empty: asks the file system.
    std::function<std::optional<uint64_t>()> free_bytes;
  };

  // The clock outlives the guard.
  DiskGuard(std::string directory, Options options, const Clock& clock);

  // Before the store is opened: gives the ballast up when the disk is too full, lays it down when there is room.
  void TrimBallast();

  // ResourceExhausted DISK_FULL. Asks at most ten times a second.
  absl::Status Check();

 private:
  bool HasFree(uint64_t bytes) const;

  const std::string directory_;
  const Options options_;
  const Clock& clock_;
  absl::Duration asked_ = -absl::InfiniteDuration();
  absl::Status answer_;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_DISK_GUARD_H_

// Store on RocksDB. The directory holds `db` (RocksDB), `watermark`, `ballast` and `LOCK`; docs/storage-format.md has
// their bytes.
//
// A write or sync that fails ends the process with exit code 70 (fail_stop.h): its outcome is unknown until the next
// start.
#ifndef KEYFERRY_STORAGE_ROCKSDB_STORE_H_
#define KEYFERRY_STORAGE_ROCKSDB_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "libs/storage/disk_guard.h"
#include "libs/storage/store.h"

namespace keyferry {

struct RocksDbStoreOptions {
  // Made when missing.
  std::string path;
  const Clock* clock = &SystemClock();
  DiskGuard::Options disk;
  size_t max_unanswered_commits = 16'384;
  size_t row_cache_bytes = size_t{64} << 20;
  absl::Duration watermark_interval = absl::Milliseconds(10);
};

// Unavailable: another process or store object holds the directory, or it cannot be read or written. DataLoss: damage,
// or acknowledged commits are missing. Each says how to mend it.
absl::StatusOr<std::unique_ptr<Store>> OpenRocksDbStore(RocksDbStoreOptions options);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_ROCKSDB_STORE_H_

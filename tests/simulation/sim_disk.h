// The disk under the API.
//
// Thread safety: plain values.
#ifndef KEYFERRY_TESTS_SIMULATION_SIM_DISK_H_
#define KEYFERRY_TESTS_SIMULATION_SIM_DISK_H_

#include <map>

#include "absl/time/time.h"
#include "libs/storage/commit_rules.h"
#include "libs/storage/store.h"

namespace keyferry {

// What survives the process.
struct SimDisk {
  std::map<RowKey, Row> rows;
  Revision head = kEmptyHead;
  uint64_t term = 0;
};

// How the disk behaves now.
struct DiskWeather {
  absl::Duration full_until;
  absl::Duration slow_until;
  // The next sync fails.
  bool error = false;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_SIM_DISK_H_

// Clock: where all time comes from, so that tests own it.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_COMMON_CLOCK_H_
#define KEYFERRY_COMMON_CLOCK_H_

#include <functional>
#include <memory>

#include "absl/time/time.h"

namespace keyferry {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock: for people and records.
  virtual absl::Time Now() const = 0;
  // Never goes back: for leases, deadlines and backoff. Its zero means nothing.
  virtual absl::Duration Monotonic() const = 0;
};

// Lives as long as the process.
const Clock& SystemClock();

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_CLOCK_H_

// How long to wait before the next attempt: exponential, with full jitter, so that many who failed together do not
// return together.
//
// Thread safety: a pure function.
#ifndef KEYFERRY_COMMON_BACKOFF_H_
#define KEYFERRY_COMMON_BACKOFF_H_

#include "absl/time/time.h"

namespace keyferry {

// Attempts count from 0; a negative one counts as 0. The result lies in [0, min(max, min * 2^attempt)], at the share
// that `random_0_to_1` says (clamped to 0 to 1).
absl::Duration BackoffDelay(int attempt, absl::Duration min, absl::Duration max, double random_0_to_1);

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_BACKOFF_H_

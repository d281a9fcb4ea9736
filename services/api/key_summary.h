// What there is of keys: how many, how old, under which root key.
//
// Thread safety: free functions, any thread.
#ifndef KEYFERRY_SERVICES_API_KEY_SUMMARY_H_
#define KEYFERRY_SERVICES_API_KEY_SUMMARY_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/crypto/root_keys.h"
#include "libs/storage/barrier.h"

namespace keyferry {

struct KeySummary {
  // Empty when the root keys cannot say, see root_problem.
  std::string root_key_id;
  absl::Status root_problem;
  // Keys of organizations and of the system's rows, older ones that still open rows included.
  int64_t key_count = 0;
  // Wrapped by another root key than the current one; 0 when that is not known.
  int64_t keys_under_old_root = 0;
  // Of the oldest of them; InfiniteFuture: there is none.
  absl::Time oldest_key_time = absl::InfiniteFuture();
};

// Reads every key row; unwraps nothing. Store's errors.
absl::StatusOr<KeySummary> SummarizeKeys(const Barrier& barrier, RootKeys& root_keys);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_KEY_SUMMARY_H_

// `?wait=ready&timeout=30s&generation=7` on GET /secrets/{set}: the set once its region has proved it, or has failed.
//
// Thread safety: all functions from any thread; AwaitReady resumes on its own executor.
#ifndef KEYFERRY_SERVICES_GATEWAY_READINESS_WAIT_H_
#define KEYFERRY_SERVICES_GATEWAY_READINESS_WAIT_H_

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "services/gateway/api_calls.h"

namespace keyferry::gateway {

struct ReadinessWait {
  // That generation or a later one; 0: the set's at the time of the call.
  int64_t generation = 0;
  // 0 is a plain read.
  absl::Duration timeout;
};

// nullopt when the query asks for no wait. InvalidArgument INVALID_QUERY.
absl::StatusOr<std::optional<ReadinessWait>> ParseReadinessWait(const Request& request);

// The set as soon as it is READY or FAILED, or as it is when the timeout ends. An API that is away or drains is asked
// again, after growing pauses, until the timeout is over; then Unavailable as it came. Errors: the API's.
asio::awaitable<absl::StatusOr<v1::SecretSet>> AwaitReady(const Request& request, ApiCalls& api, ReadinessWait wait);

// Whether that set is not what was waited for.
bool TimedOut(const ReadinessWait& wait, const v1::SecretSet& set);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_READINESS_WAIT_H_

#include "services/gateway/readiness_wait.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>
#include <string>
#include <utility>

#include "libs/common/clock.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/json_object.h"
#include "services/gateway/request_values.h"

namespace keyferry::gateway {
namespace {

// What a call takes longer than the wait that it was asked for.
constexpr absl::Duration kWaitMargin = absl::Seconds(5);
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kMaxPause = absl::Seconds(2);
// The API takes 0 for no timeout given.
constexpr absl::Duration kLeastWait = absl::Milliseconds(1);

v1::WaitUntilReadyRequest CallOf(const Request& request, int64_t generation, absl::Duration timeout) {
  v1::WaitUntilReadyRequest call;
  call.set_organization(request.Parameter("org"));
  call.set_secret_set(request.Parameter("set"));
  call.set_generation(generation);
  const int64_t millis = absl::ToInt64Milliseconds(timeout);
  call.mutable_timeout()->set_seconds(millis / 1000);
  call.mutable_timeout()->set_nanos(static_cast<int32_t>(millis % 1000) * 1'000'000);
  return call;
}

asio::awaitable<absl::StatusOr<v1::SecretSet>> ReadOnce(const Request& request, ApiCalls& api) {
  v1::GetSecretSetRequest call;
  call.set_organization(request.Parameter("org"));
  call.set_secret_set(request.Parameter("set"));
  co_return co_await api.Call(request, kGetSecretSet, std::move(call));
}

// False when the task was cancelled meanwhile.
asio::awaitable<bool> Pause(absl::Duration duration) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, absl::ToChronoNanoseconds(duration));
  const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return !error;
}

}  // namespace

absl::StatusOr<std::optional<ReadinessWait>> ParseReadinessWait(const Request& request) {
  ASSIGN_OR_RETURN(const std::optional<std::string> wait, QueryValue(request, "wait"));
  ASSIGN_OR_RETURN(const std::optional<absl::Duration> timeout, QueryDuration(request, "timeout", kMaxWait));
  ASSIGN_OR_RETURN(const std::optional<int64_t> generation,
                   QueryInteger(request, "generation", 1, std::numeric_limits<int64_t>::max()));
  if (wait && *wait != "ready") return InvalidFields("INVALID_QUERY", {{"wait", "must be `ready`, or be left out"}});
  if (!wait && (timeout || generation)) {
    return InvalidFields("INVALID_QUERY", {{timeout ? "timeout" : "generation", "goes with wait=ready alone"}});
  }
  if (!wait) return std::nullopt;
  return ReadinessWait{.generation = generation.value_or(0), .timeout = timeout.value_or(kDefaultWait)};
}

asio::awaitable<absl::StatusOr<v1::SecretSet>> AwaitReady(const Request& request, ApiCalls& api, ReadinessWait wait) {
  if (wait.timeout < kLeastWait) co_return co_await ReadOnce(request, api);
  const Clock& clock = SystemClock();
  const absl::Duration end = clock.Monotonic() + wait.timeout;
  absl::Duration left = wait.timeout;
  for (absl::Duration pause = kFirstPause;; pause = std::min(2 * pause, kMaxPause)) {
    v1::WaitUntilReadyRequest call = CallOf(request, wait.generation, left);
    absl::StatusOr<v1::SecretSet> set =
        co_await api.Call(request, kWaitUntilReady, std::move(call), left + kWaitMargin);
    left = end - clock.Monotonic() - pause;
    if (!absl::IsUnavailable(set.status()) || left < kLeastWait) co_return set;
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return set;
    const bool goes_on = co_await Pause(pause);
    if (!goes_on) co_return absl::CancelledError("nobody waits for this set any more");
  }
}

bool TimedOut(const ReadinessWait& wait, const v1::SecretSet& set) {
  const bool settled = set.readiness() == v1::READINESS_READY || set.readiness() == v1::READINESS_FAILED;
  return !settled || set.generation() < wait.generation;
}

}  // namespace keyferry::gateway

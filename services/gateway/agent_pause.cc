#include "services/gateway/agent_pause.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <random>

#include "absl/time/time.h"
#include "libs/common/backoff.h"

namespace keyferry::gateway {
namespace {

constexpr absl::Duration kFirst = absl::Milliseconds(20);
constexpr absl::Duration kLongest = absl::Milliseconds(500);

double RandomShare() {
  static thread_local std::minstd_rand random{std::random_device()()};
  return std::uniform_real_distribution<>()(random);
}

}  // namespace

asio::awaitable<bool> LeaveItToOthers(int attempt) {
  const absl::Duration pause = BackoffDelay(attempt, kFirst, kLongest, RandomShare());
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, absl::ToChronoNanoseconds(pause));
  const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return !error;
}

}  // namespace keyferry::gateway

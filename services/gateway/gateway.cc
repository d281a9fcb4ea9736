#include "services/gateway/gateway.h"

#include "absl/strings/match.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "services/gateway/error_answer.h"

namespace keyferry::gateway {
namespace {

// Probes come every second and tell nothing while they are well.
bool IsProbe(const ExchangeRecord& exchange) {
  return (exchange.answer.route == "/healthz" || exchange.answer.route == "/readyz") && exchange.answer.status == 200;
}

// What the API refuses whatever follows.
bool HasBearer(const Request& request) {
  const auto authorization = request.FindHeader("Authorization");
  return authorization && absl::StartsWithIgnoreCase({authorization->data(), authorization->size()}, "Bearer ");
}

}  // namespace

std::optional<Answer> Gateway::RefuseEarly(Request& request) const {
  if (!request.target.starts_with("/v1/") || HasBearer(request)) return std::nullopt;
  const absl::StatusOr<const Route*> route = router_.Find(request);
  if (!route.ok()) return ErrorAnswer(route.status(), request.id);
  Answer answer =
      ErrorAnswer(MakeError(absl::StatusCode::kUnauthenticated,
                            "send exactly one header `Authorization: Bearer <API key>`", {.reason = "UNAUTHENTICATED"}),
                  request.id);
  answer.route = (*route)->pattern;
  return answer;
}

asio::awaitable<Answer> Gateway::Handle(Request& request) {
  const absl::StatusOr<const Route*> route = router_.Find(request);
  if (!route.ok()) co_return ErrorAnswer(route.status(), request.id);
  absl::StatusOr<Answer> answer = co_await (*route)->handle(request, api_);
  if (!answer.ok()) answer = ErrorAnswer(answer.status(), request.id);
  answer->route = (*route)->pattern;
  co_return *std::move(answer);
}

void Gateway::Record(const ExchangeRecord& exchange) {
  metrics_.Count(exchange);
  Log(IsProbe(exchange) ? Severity::kDebug : Severity::kInfo, "request",
      {{"request_id", exchange.request.id},
       {"method", KnownMethod(exchange.request.method)},
       {"route", exchange.answer.route},
       {"status", exchange.answer.status},
       {"reason", exchange.answer.reason},
       {"duration_us", absl::ToInt64Microseconds(exchange.duration)},
       {"bytes_in", exchange.request.body.size()},
       {"bytes_out", exchange.bytes_sent},
       {"client_left", exchange.client_left},
       {"remote", exchange.request.remote_address}});
}

asio::awaitable<Answer> AnswerMetrics(const Request& request, Metrics& metrics, std::function<void()> refresh) {
  if (request.target != "/metrics")
    co_return ErrorAnswer(NotFound("ROUTE_NOT_FOUND", "this port serves GET /metrics alone", "route"), request.id);
  if (request.method != "GET" && request.method != "HEAD") {
    co_return ErrorAnswer(MakeError(absl::StatusCode::kUnimplemented, "/metrics is there to be read: use GET",
                                    {.reason = "METHOD_NOT_ALLOWED", .metadata = {{"allow", "GET, HEAD"}}}),
                          request.id);
  }
  refresh();
  co_return Answer{
      .body = metrics.Text(), .content_type = "text/plain; version=0.0.4; charset=utf-8", .route = "/metrics"};
}

}  // namespace keyferry::gateway

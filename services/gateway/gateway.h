// What is between the HTTP server and the handlers: routing, error answers, the access log and the metrics.
//
// Invariants:
//   - One log line and one count for each exchange, also for a refused one.
//   - Neither holds anything that a caller chose, but for a well-formed request id and the client's address.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_GATEWAY_H_
#define KEYFERRY_SERVICES_GATEWAY_GATEWAY_H_

#include <functional>
#include <optional>
#include <span>

#include "services/gateway/api_calls.h"
#include "services/gateway/http_server.h"
#include "services/gateway/metrics.h"
#include "services/gateway/router.h"

namespace keyferry::gateway {

class Gateway {
 public:
  // All three outlive this and every task of it.
  Gateway(std::span<const Route> routes, ApiCalls& api, Metrics& metrics)
      : router_(routes), api_(api), metrics_(metrics) {}

  // HttpServer::Options::handler: never fails, each error is an answer.
  asio::awaitable<Answer> Handle(Request& request);
  // HttpServer::Options::refuse_early: below /v1 nobody without an API key has a body read, let alone 4 MiB of it.
  std::optional<Answer> RefuseEarly(Request& request) const;
  // HttpServer::Options::record.
  void Record(const ExchangeRecord& exchange);

 private:
  const Router router_;
  ApiCalls& api_;
  Metrics& metrics_;
};

// The handler of the metrics door: GET /metrics and nothing else. `refresh` runs before.
asio::awaitable<Answer> AnswerMetrics(const Request& request, Metrics& metrics, std::function<void()> refresh);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_GATEWAY_H_

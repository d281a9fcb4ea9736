// From a status to an HTTP answer: `{"error", "code", "reason", "requestId", "details"?}`. One table says which HTTP
// status and code each reason has; a reason that the table lacks gets what its gRPC code has in every stock gateway
// (google/rpc/code.proto).
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_ERROR_ANSWER_H_
#define KEYFERRY_SERVICES_GATEWAY_ERROR_ANSWER_H_

#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "services/gateway/exchange.h"

namespace keyferry::gateway {

struct ErrorRule {
  // Of ErrorInfo: `SECRET_SET_PENDING`.
  std::string_view reason;
  // With which the API, or this gateway, gives it.
  absl::StatusCode status;
  // 409.
  int http;
};

// Every reason that the API answers over its edge door and every reason of the gateway itself, sorted by reason.
// error_answer_test holds it against the sources.
std::span<const ErrorRule> ErrorTable();
// What a stock gateway makes of a code.
int StockHttpStatus(absl::StatusCode code);
// `CONFLICT` for 409: the contract's word.
std::string_view CodeOf(int http_status);

// Details: `violations` [{field, description}], `metadata`, `blockers`, where the status has them. Retry-After, whole
// seconds, at least 1, where it has a retry time, and with 429 and 503 also where it has none. WWW-Authenticate with
// 401.
Answer ErrorAnswer(const absl::Status& status, std::string_view request_id);

// A fault of HTTP itself, and its reason: `BODY_TOO_LARGE`. Retry-After as above.
Answer HttpFaultAnswer(std::string_view reason, std::string_view message, std::string_view request_id);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_ERROR_ANSWER_H_

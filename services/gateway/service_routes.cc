#include "services/gateway/service_routes.h"

#include "libs/common/error.h"
#include "services/gateway/openapi.h"
#include "services/gateway/wire_values.h"

namespace keyferry::gateway {
namespace {

constexpr absl::Duration kProbeAgain = absl::Seconds(1);

}  // namespace

AnswerTask GetHealth(const Request&, ApiCalls&) { co_return OkAnswer(); }

AnswerTask GetReadiness(const Request&, ApiCalls& api) {
  const bool ready = co_await api.IsReady();
  if (ready) co_return OkAnswer();
  co_return MakeError(absl::StatusCode::kUnavailable,
                      "this gateway runs, but the API behind it does not answer; try again in a moment",
                      {.reason = "API_UNAVAILABLE", .retry_after = kProbeAgain});
}

AnswerTask GetOpenApi(const Request&, ApiCalls&) { co_return Answer{.body = std::string(OpenApiDocument())}; }

}  // namespace keyferry::gateway

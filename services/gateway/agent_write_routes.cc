#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "services/gateway/agent_bodies.h"
#include "services/gateway/agent_pause.h"
#include "services/gateway/agent_routes.h"
#include "services/gateway/agent_views.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/json_object.h"
#include "services/gateway/request_values.h"

namespace keyferry::gateway {
namespace {

// Read, lay over, write: how often, while others write in between.
constexpr int kUpdateAttempts = 8;
constexpr absl::Duration kRetryAfter = absl::Seconds(1);

struct AgentWrite {
  AgentBody body;
  WriteHeaders headers;
};

absl::StatusOr<AgentWrite> ParseWrite(const Request& request, absl::StatusOr<AgentBody> parse(const Request&)) {
  RETURN_IF_ERROR(CheckQuery(request, {}));
  AgentWrite write;
  ASSIGN_OR_RETURN(write.headers, WriteHeadersOf(request));
  ASSIGN_OR_RETURN(write.body, parse(request));
  return write;
}

// What a create and an update have in common, beside what they deploy.
template <typename CallT>
void FillCall(const Request& request, const AgentWrite& write, CallT& call) {
  call.mutable_deployment()->set_organization(request.Parameter("org"));
  call.set_request_id(write.headers.request_id);
  // The deployment may be another at each attempt; the body is what was asked.
  if (!write.headers.request_id.empty()) call.set_request_content(ContentOf(write.body));
  call.set_validate_only(write.body.validate_only);
}

// The API would follow the bound sets; the contract says the organization's own region.
asio::awaitable<absl::Status> FillRegion(const Request& request, ApiCalls& api, v1::Deployment& deployment) {
  if (!deployment.region().empty()) co_return absl::OkStatus();
  v1::GetPropertiesRequest call;
  call.set_organization(request.Parameter("org"));
  const absl::StatusOr<v1::Properties> properties = co_await api.Call(request, kGetProperties, std::move(call));
  if (properties.ok()) deployment.set_region(properties->default_region());
  co_return properties.status();
}

std::string NothingChanged(const std::string& agent) {
  return absl::StrCat(
      "nothing changed: agent \"", agent,
      "\" is deployed just so already, with the newest values of its secret set; to deploy it anew all the "
      "same, send \"forceRedeploy\": true (on the command line: --force)");
}

Answer WrittenAnswer(const AgentWrite& write, const v1::Deployment& deployment) {
  Json details = AgentDetails(deployment);
  if (deployment.unchanged()) details["warning"] = NothingChanged(write.body.agent);
  if (write.body.validate_only) details["validateOnly"] = true;
  Answer answer = JsonAnswer(200, details);
  // What was only asked about is not there, and has no etag to come back with.
  if (!write.body.validate_only) answer.headers.push_back({"ETag", absl::StrCat("\"", deployment.etag(), "\"")});
  return answer;
}

bool IsConflict(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "ETAG_MISMATCH" || reason == "CONCURRENT_MODIFICATION";
}

absl::Status StillContended(const std::string& agent) {
  return MakeError(absl::StatusCode::kAborted,
                   absl::StrCat("agent \"", agent, "\" kept being changed by others meanwhile; try again in a moment"),
                   {.reason = "CONCURRENT_MODIFICATION", .metadata = {{"agent", agent}}, .retry_after = kRetryAfter});
}

absl::StatusOr<v1::UpdateDeploymentRequest> LaidOver(const Request& request, const AgentWrite& write,
                                                     v1::Deployment before) {
  v1::UpdateDeploymentRequest call;
  *call.mutable_deployment() = std::move(before);
  LayOver(write.body, *call.mutable_deployment());
  RETURN_IF_ERROR(CheckLaidOver(call.deployment()));
  FillCall(request, write, call);
  if (!write.headers.etag.empty()) call.mutable_deployment()->set_etag(write.headers.etag);
  call.set_skip_unchanged(!write.body.force_redeploy);
  return call;
}

asio::awaitable<absl::StatusOr<v1::Deployment>> FetchAgent(const Request& request, ApiCalls& api,
                                                           const std::string& agent) {
  v1::GetDeploymentRequest call;
  call.set_organization(request.Parameter("org"));
  call.set_agent(agent);
  co_return co_await api.Call(request, kGetDeployment, std::move(call));
}

asio::awaitable<absl::StatusOr<v1::Deployment>> UpdateOnce(const Request& request, ApiCalls& api,
                                                           const AgentWrite& write) {
  absl::StatusOr<v1::Deployment> before = co_await FetchAgent(request, api, write.body.agent);
  if (!before.ok()) co_return before.status();
  absl::StatusOr<v1::UpdateDeploymentRequest> call = LaidOver(request, write, *std::move(before));
  if (!call.ok()) co_return call.status();
  co_return co_await api.Call(request, kUpdateDeployment, *std::move(call));
}

}  // namespace

AnswerTask CreateAgent(const Request& request, ApiCalls& api) {
  const absl::StatusOr<AgentWrite> write = ParseWrite(request, ParseNewAgent);
  if (!write.ok()) co_return write.status();
  v1::CreateDeploymentRequest call;
  LayOver(write->body, *call.mutable_deployment());
  FillCall(request, *write, call);
  call.mutable_deployment()->set_etag(write->headers.etag);
  const absl::Status placed = co_await FillRegion(request, api, *call.mutable_deployment());
  if (!placed.ok()) co_return placed;
  const absl::StatusOr<v1::Deployment> created = co_await api.Call(request, kCreateDeployment, std::move(call));
  if (!created.ok()) co_return InBodyWords(request, created.status());
  co_return WrittenAnswer(*write, *created);
}

AnswerTask UpdateAgent(const Request& request, ApiCalls& api) {
  const absl::StatusOr<AgentWrite> write = ParseWrite(request, ParseAgentUpdate);
  if (!write.ok()) co_return write.status();
  for (int attempt = 0;; ++attempt) {
    const absl::StatusOr<v1::Deployment> updated = co_await UpdateOnce(request, api, *write);
    if (updated.ok()) co_return WrittenAnswer(*write, *updated);
    // Who has an etag has decided on what it stands for; nothing else may be laid under that.
    if (!IsConflict(updated.status()) || !write->headers.etag.empty()) co_return InBodyWords(request, updated.status());
    if (attempt + 1 == kUpdateAttempts) co_return StillContended(write->body.agent);
    const bool goes_on = co_await LeaveItToOthers(attempt);
    if (!goes_on) co_return absl::CancelledError("the client went away");
  }
}

AnswerTask DeleteAgent(const Request& request, ApiCalls& api) {
  const absl::Status known = CheckQuery(request, {});
  if (!known.ok()) co_return known;
  const absl::StatusOr<WriteHeaders> headers = WriteHeadersOf(request);
  if (!headers.ok()) co_return headers.status();
  v1::DeleteDeploymentRequest call;
  call.set_organization(request.Parameter("org"));
  call.set_agent(request.Parameter("agent"));
  call.set_etag(headers->etag);
  call.set_request_id(headers->request_id);
  const absl::StatusOr<v1::DeleteDeploymentResponse> deleted =
      co_await api.Call(request, kDeleteDeployment, std::move(call));
  if (!deleted.ok()) co_return InBodyWords(request, deleted.status());
  co_return OkAnswer();
}

}  // namespace keyferry::gateway

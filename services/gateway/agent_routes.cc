#include "services/gateway/agent_routes.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "services/gateway/agent_views.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/json_object.h"
#include "services/gateway/listing.h"
#include "services/gateway/violation_names.h"

namespace keyferry::gateway {
namespace {

constexpr FieldName kNames[] = {{"page_size", "limit"}, {"page_token", "after"}};

Answer DetailsAnswer(const Request& request, const v1::Deployment& deployment) {
  Json details = AgentDetails(deployment);
  if (!request.Parameter("org").empty()) details = {{"body", std::move(details)}};
  return TaggedAnswer(request, deployment.etag(), details);
}

}  // namespace

AnswerTask ListAgents(const Request& request, ApiCalls& api) {
  // The `include`s are of published clients: what they ask for is there anyway, or is none of Keyferry's business.
  auto query = ParseList<v1::ListDeploymentsRequest>(request, {"region", "limit", "after", "include", "includeActiveDeployment"});
  if (!query.ok()) co_return query.status();
  ListText text("services", "agents", kMaxListedAgents);
  for (int pages = 0; pages < kMaxListPages && text.Fits(); ++pages) {
    const absl::StatusOr<v1::ListDeploymentsResponse> page = co_await api.Call(request, kListDeployments, query->call);
    if (!page.ok()) co_return RenameFields(page.status(), kNames);
    for (const v1::Deployment& deployment : page->deployments()) text.Add(AgentDetails(deployment));
    const std::string& next = page->next_page_token();
    if (query->is_one_page || (next.empty() && text.Fits())) co_return std::move(text).Finish(next);
    query->call.set_page_token(next);
  }
  co_return text.TooLarge();
}

AnswerTask GetAgent(const Request& request, ApiCalls& api) {
  v1::GetDeploymentRequest call;
  call.set_organization(request.Parameter("org"));
  call.set_agent(request.Parameter("agent"));
  const absl::StatusOr<v1::Deployment> deployment = co_await api.Call(request, kGetDeployment, std::move(call));
  if (!deployment.ok()) co_return deployment.status();
  co_return DetailsAnswer(request, *deployment);
}

}  // namespace keyferry::gateway

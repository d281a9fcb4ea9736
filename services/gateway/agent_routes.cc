#include "services/gateway/agent_routes.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "services/gateway/agent_views.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/json_object.h"
#include "services/gateway/request_values.h"
#include "services/gateway/violation_names.h"

namespace keyferry::gateway {
namespace {

// The most that a list without ?limit holds; and the most pages that it looks at, as a page may be empty.
constexpr size_t kMaxListedAgents = 5'000;
constexpr size_t kMaxListBytes = 16 << 20;
constexpr int kMaxListPages = 2'000;

constexpr FieldName kNames[] = {{"page_size", "limit"}, {"page_token", "after"}};

struct ListQuery {
  v1::ListDeploymentsRequest call;
  bool is_one_page = false;
};

absl::StatusOr<ListQuery> ParseList(const Request& request) {
  // The `include`s are of published clients: what they ask for is there anyway, or is none of Keyferry's business.
  RETURN_IF_ERROR(CheckQuery(request, {"region", "limit", "after", "include", "includeActiveDeployment"}));
  ASSIGN_OR_RETURN(const std::optional<std::string> region, QueryValue(request, "region"));
  ASSIGN_OR_RETURN(const std::optional<int64_t> limit, QueryInteger(request, "limit", 1, kMaxPageSize));
  ASSIGN_OR_RETURN(const std::optional<std::string> after, QueryValue(request, "after"));
  ListQuery query{.is_one_page = limit || after};
  query.call.set_organization(request.Parameter("org"));
  query.call.set_region(region.value_or(""));
  query.call.set_page_size(static_cast<int32_t>(limit.value_or(kMaxPageSize)));
  query.call.set_page_token(after.value_or(""));
  return query;
}

absl::Status ListTooLarge() {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("there are more than ", kMaxListedAgents, " agents, or more than ", kMaxListBytes >> 20,
                                " MiB of them; read them in pages: ?limit=", kMaxPageSize,
                                ", then with &after= and the answer's nextPageToken, or one region: ?region="),
                   {.reason = "LIST_TOO_LARGE"});
}

// The text of the list as it grows: the objects of thousands of agents would take five times the room.
struct ListText {
  std::string body = R"({"services":[)";
  size_t agent_count = 0;

  void Add(const v1::ListDeploymentsResponse& page) {
    for (const v1::Deployment& deployment : page.deployments()) {
      absl::StrAppend(&body, agent_count++ > 0 ? "," : "", JsonLine(AgentDetails(deployment)));
    }
  }
  bool Fits() const { return agent_count <= kMaxListedAgents && body.size() <= kMaxListBytes; }
  Answer Finish(const std::string& next_page_token) && {
    absl::StrAppend(&body, "]");
    if (!next_page_token.empty()) absl::StrAppend(&body, R"(,"nextPageToken":)", JsonLine(next_page_token));
    absl::StrAppend(&body, "}");
    return {.body = std::move(body)};
  }
};

Answer DetailsAnswer(const Request& request, const v1::Deployment& deployment) {
  Json details = AgentDetails(deployment);
  if (!request.Parameter("org").empty()) details = {{"body", std::move(details)}};
  Answer answer = JsonAnswer(200, details);
  const std::string entity_tag = EntityTag(deployment.etag(), answer.body);
  if (IsKnownToClient(request, entity_tag)) answer = Answer{.status = 304};
  answer.headers.push_back({"ETag", entity_tag});
  return answer;
}

}  // namespace

AnswerTask ListAgents(const Request& request, ApiCalls& api) {
  absl::StatusOr<ListQuery> query = ParseList(request);
  if (!query.ok()) co_return query.status();
  ListText text;
  for (int pages = 0; pages < kMaxListPages && text.Fits(); ++pages) {
    const absl::StatusOr<v1::ListDeploymentsResponse> page = co_await api.Call(request, kListDeployments, query->call);
    if (!page.ok()) co_return RenameFields(page.status(), kNames);
    text.Add(*page);
    const std::string& next = page->next_page_token();
    if (query->is_one_page || (next.empty() && text.Fits())) co_return std::move(text).Finish(next);
    query->call.set_page_token(next);
  }
  co_return ListTooLarge();
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

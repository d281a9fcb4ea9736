// What a client asks of an agent: the JSON body of a create or an update, and the deployment that it makes.
//
// Members that the API has no field for are kept in client_data, as a JSON object, and given back (agent_views.h). A
// body is laid over what there was: an absent member stays, null takes one away. Members of kept objects likewise (RFC
// 7396), which is how clients turn off one setting of several; so a null is never kept.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_AGENT_BODIES_H_
#define KEYFERRY_SERVICES_GATEWAY_AGENT_BODIES_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "keyferry/v1/deployments.pb.h"
#include "services/gateway/exchange.h"

namespace keyferry::gateway {

struct AgentBody {
  // The agent's: of the path, or else `serviceName`.
  std::string agent;
  bool force_redeploy = false;
  // Asks the gate and writes nothing.
  bool validate_only = false;
  // The whole body; the members that LayOver uses have the right types.
  nlohmann::json members;
};

// As BodyOf; InvalidArgument INVALID_BODY: every member of a wrong type, no agent's name or one that is not the path's,
// an image and a build, numbers of agents that none can have. For a new agent also one without any source (image,
// buildId or git). An empty text is none.
absl::StatusOr<AgentBody> ParseNewAgent(const Request& request);
absl::StatusOr<AgentBody> ParseAgentUpdate(const Request& request);

void LayOver(const AgentBody& body, v1::Deployment& deployment);
// InvalidArgument INVALID_BODY for what an update would end in: no source, fewer agents at most than at least.
absl::Status CheckLaidOver(const v1::Deployment& deployment);
// What a request id of this body stands for: the same for the same members, in whatever order.
std::string ContentOf(const AgentBody& body);

// The API's violations in the words of this request.
absl::Status InBodyWords(const Request& request, const absl::Status& status);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_AGENT_BODIES_H_

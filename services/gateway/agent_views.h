// What the contract shows of an agent: "service details", made of a deployment and of the members that were kept for
// its clients.
//
// Published clients (0.6.0 and 1.4.0) end their wait for a deploy when `reconciledDeploymentId` equals
// `desiredDeploymentId`, `available` is true, and `ready` or `activeDeploymentReady` is. Here that is so exactly while
// the region has proved the newest generation.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_AGENT_VIEWS_H_
#define KEYFERRY_SERVICES_GATEWAY_AGENT_VIEWS_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "keyferry/v1/deployments.pb.h"
#include "services/gateway/wire_values.h"

namespace keyferry::gateway {

Json AgentDetails(const v1::Deployment& deployment);

// Whether details carry a member of that name which the gateway makes itself: one of a client with this name is not
// kept.
bool IsDetail(std::string_view name);

// Members that REST clients sent and nobody here uses (agent_bodies.h). nullopt: client_data holds something else,
// which a client of the API put there.
std::optional<nlohmann::json> KeptMembers(const v1::Deployment& deployment);

// One for each generation of each agent, and the same at every look: a UUID (version 8), like those that clients know.
std::string DeploymentId(std::string_view uid, int64_t generation);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_AGENT_VIEWS_H_

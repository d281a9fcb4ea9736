// Handlers of /agents and /services (REST.md): an agent's deployment, in the words of the contract.
#ifndef KEYFERRY_SERVICES_GATEWAY_AGENT_ROUTES_H_
#define KEYFERRY_SERVICES_GATEWAY_AGENT_ROUTES_H_

#include "services/gateway/api_calls.h"

namespace keyferry::gateway {

// POST /agents, POST /organizations/{org}/services
AnswerTask CreateAgent(const Request& request, ApiCalls& api);
// POST /agents/{agent}; PUT /organizations/{org}/services, with the name in the body
AnswerTask UpdateAgent(const Request& request, ApiCalls& api);
AnswerTask ListAgents(const Request& request, ApiCalls& api);
// On the routes of an organization the details are wrapped: {"body": {…}}
AnswerTask GetAgent(const Request& request, ApiCalls& api);
AnswerTask DeleteAgent(const Request& request, ApiCalls& api);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_AGENT_ROUTES_H_

// Handlers of /agents and /services (REST.md): an agent's deployment, in the words of the contract.
// Writes take If-Match and Idempotency-Key as those of sets do (request_values.h), and no query.
#ifndef KEYFERRY_SERVICES_GATEWAY_AGENT_ROUTES_H_
#define KEYFERRY_SERVICES_GATEWAY_AGENT_ROUTES_H_

#include "services/gateway/api_calls.h"

namespace keyferry::gateway {

// POST /agents, POST /organizations/{org}/services. Where the body names no region: into the organization's default one.
AnswerTask CreateAgent(const Request& request, ApiCalls& api);
// POST /agents/{agent}; PUT /organizations/{org}/services, with the name in the body. Read, lay over, write: again while others write in
// between, at most 8 times, then Aborted CONCURRENT_MODIFICATION; once, with ETAG_MISMATCH, under If-Match.
AnswerTask UpdateAgent(const Request& request, ApiCalls& api);
// All, or LIST_TOO_LARGE; ?limit=N&after=TOKEN for pages.
AnswerTask ListAgents(const Request& request, ApiCalls& api);
// On the routes of an organization the details are wrapped: {"body": {…}}
AnswerTask GetAgent(const Request& request, ApiCalls& api);
AnswerTask DeleteAgent(const Request& request, ApiCalls& api);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_AGENT_ROUTES_H_

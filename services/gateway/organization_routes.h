// Handlers of /regions, /properties, /users, /organizations and /apiKeys (REST.md).
#ifndef KEYFERRY_SERVICES_GATEWAY_ORGANIZATION_ROUTES_H_
#define KEYFERRY_SERVICES_GATEWAY_ORGANIZATION_ROUTES_H_

#include "services/gateway/api_calls.h"

namespace keyferry::gateway {

AnswerTask ListRegions(const Request& request, ApiCalls& api);
AnswerTask GetProperties(const Request& request, ApiCalls& api);
AnswerTask PatchProperties(const Request& request, ApiCalls& api);
AnswerTask GetPropertiesSchema(const Request& request, ApiCalls& api);
AnswerTask GetUser(const Request& request, ApiCalls& api);
AnswerTask ListOrganizations(const Request& request, ApiCalls& api);
AnswerTask ListApiKeys(const Request& request, ApiCalls& api);
AnswerTask CreateApiKey(const Request& request, ApiCalls& api);
AnswerTask RevokeApiKey(const Request& request, ApiCalls& api);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_ORGANIZATION_ROUTES_H_

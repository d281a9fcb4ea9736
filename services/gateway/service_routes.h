// What the gateway says of itself, without a credential.
#ifndef KEYFERRY_SERVICES_GATEWAY_SERVICE_ROUTES_H_
#define KEYFERRY_SERVICES_GATEWAY_SERVICE_ROUTES_H_

#include "services/gateway/api_calls.h"

namespace keyferry::gateway {

// 200 {"status":"OK"}: the process runs.
AnswerTask GetHealth(const Request& request, ApiCalls& api);
// 200 {"status":"OK"} while the API answers through this gateway, else Unavailable API_UNAVAILABLE.
AnswerTask GetReadiness(const Request& request, ApiCalls& api);
// The OpenAPI 3.1 document of exactly what is served: openapi.json, built in.
AnswerTask GetOpenApi(const Request& request, ApiCalls& api);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_SERVICE_ROUTES_H_

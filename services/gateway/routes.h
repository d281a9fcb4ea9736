// The table of everything that the gateway serves below /v1, twice where the contract says so. openapi_test holds it
// against openapi.json.
#ifndef KEYFERRY_SERVICES_GATEWAY_ROUTES_H_
#define KEYFERRY_SERVICES_GATEWAY_ROUTES_H_

#include <span>

#include "services/gateway/router.h"

namespace keyferry::gateway {

std::span<const Route> Routes();

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_ROUTES_H_

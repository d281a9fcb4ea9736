#include "services/gateway/routes.h"

#include "services/gateway/agent_routes.h"
#include "services/gateway/organization_routes.h"
#include "services/gateway/secret_routes.h"
#include "services/gateway/service_routes.h"

namespace keyferry::gateway {
namespace {

#define KEYFERRY_TWICE(method, path, handler) \
  {method, "/v1" path, handler}, { method, "/v1/organizations/{org}" path, handler }

constexpr Route kRoutes[] = {
    KEYFERRY_TWICE("GET", "/secrets", ListSecretSets),
    KEYFERRY_TWICE("GET", "/secrets/{set}", GetSecretSet),
    KEYFERRY_TWICE("PUT", "/secrets/{set}", PutSecrets),
    KEYFERRY_TWICE("DELETE", "/secrets/{set}", DeleteSecretSet),
    KEYFERRY_TWICE("GET", "/secrets/{set}/events", WatchSecretSets),
    KEYFERRY_TWICE("GET", "/secrets/{set}/generations", ListGenerations),
    KEYFERRY_TWICE("POST", "/secrets/{set}/rollback", RollbackSecretSet),
    KEYFERRY_TWICE("DELETE", "/secrets/{set}/{key}", UnsetSecret),
    KEYFERRY_TWICE("GET", "/events", WatchSecretSets),
    KEYFERRY_TWICE("GET", "/regions", ListRegions),
    KEYFERRY_TWICE("GET", "/properties", GetProperties),
    KEYFERRY_TWICE("PATCH", "/properties", PatchProperties),
    KEYFERRY_TWICE("GET", "/properties/schema", GetPropertiesSchema),
    KEYFERRY_TWICE("GET", "/apiKeys", ListApiKeys),
    KEYFERRY_TWICE("POST", "/apiKeys", CreateApiKey),
    KEYFERRY_TWICE("DELETE", "/apiKeys/{id}", RevokeApiKey),
    KEYFERRY_TWICE("GET", "/agents", ListAgents),
    KEYFERRY_TWICE("POST", "/agents", CreateAgent),
    KEYFERRY_TWICE("GET", "/agents/{agent}", GetAgent),
    KEYFERRY_TWICE("POST", "/agents/{agent}", UpdateAgent),
    KEYFERRY_TWICE("DELETE", "/agents/{agent}", DeleteAgent),
    {"GET", "/v1/organizations/{org}/services", ListAgents},
    {"POST", "/v1/organizations/{org}/services", CreateAgent},
    {"PUT", "/v1/organizations/{org}/services", UpdateAgent},
    {"GET", "/v1/organizations/{org}/services/{agent}", GetAgent},
    {"DELETE", "/v1/organizations/{org}/services/{agent}", DeleteAgent},
    {"GET", "/v1/users", GetUser},
    {"GET", "/v1/organizations", ListOrganizations},
    {"GET", "/healthz", GetHealth},
    {"GET", "/readyz", GetReadiness},
    {"GET", "/openapi.json", GetOpenApi},
};

#undef KEYFERRY_TWICE

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

}  // namespace keyferry::gateway

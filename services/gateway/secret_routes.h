// Handlers of /secrets and /events (REST.md). They parse, call and convert; the API decides.
#ifndef KEYFERRY_SERVICES_GATEWAY_SECRET_ROUTES_H_
#define KEYFERRY_SERVICES_GATEWAY_SECRET_ROUTES_H_

#include "services/gateway/api_calls.h"

namespace keyferry::gateway {

// PUT /secrets/{set}
AnswerTask PutSecrets(const Request& request, ApiCalls& api);
// GET /secrets
AnswerTask ListSecretSets(const Request& request, ApiCalls& api);
// GET /secrets/{set}, and ?wait=ready&timeout=30s
AnswerTask GetSecretSet(const Request& request, ApiCalls& api);
// DELETE /secrets/{set}, and ?force=true
AnswerTask DeleteSecretSet(const Request& request, ApiCalls& api);
// DELETE /secrets/{set}/{key}
AnswerTask UnsetSecret(const Request& request, ApiCalls& api);
// GET /secrets/{set}/generations
AnswerTask ListGenerations(const Request& request, ApiCalls& api);
// POST /secrets/{set}/rollback
AnswerTask RollbackSecretSet(const Request& request, ApiCalls& api);
// GET /secrets/{set}/events and GET /events: server-sent events (event_routes.cc)
AnswerTask WatchSecretSets(const Request& request, ApiCalls& api);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_SECRET_ROUTES_H_

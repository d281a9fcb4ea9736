// Secret sets as the contract shows them.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_SECRET_VIEWS_H_
#define KEYFERRY_SERVICES_GATEWAY_SECRET_VIEWS_H_

#include "keyferry/v1/secret_sets.pb.h"
#include "services/gateway/wire_values.h"

namespace keyferry::gateway {

// An entry of the list, and the data of an event:
// {"name","type","region","status","errorMessage"?,"generation","readyGeneration", "etag","createdAt","updatedAt"}
Json SetEntryJson(const v1::SecretSet& set);
// {"region","status","errorMessage"?,"secrets":[{"fieldName"}…],"name","type","generation","readyGeneration","etag","createdAt",
// "updatedAt","conditions"}
Json SetDetailsJson(const v1::SecretSet& set);
// {"generation","keys","createdAt","author"}
Json GenerationJson(const v1::Generation& generation);
// {"status":"OK","region","generation","etag","changed","validateOnly"?}, with ETag. validateOnly, true, is there when
// nothing was written.
Answer WriteAnswer(int status, const v1::SetSecretsResponse& written, bool validate_only);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_SECRET_VIEWS_H_

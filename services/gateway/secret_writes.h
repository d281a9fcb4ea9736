// The three bodies of PUT /secrets/{set} and the calls that they mean.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_SECRET_WRITES_H_
#define KEYFERRY_SERVICES_GATEWAY_SECRET_WRITES_H_

#include <span>
#include <variant>

#include "absl/status/statusor.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "services/gateway/exchange.h"
#include "services/gateway/violation_names.h"

namespace keyferry::gateway {

struct SecretsWrite {
  std::variant<v1::SetSecretsRequest, v1::SetImagePullSecretRequest> call;
  // The API's names of fields as this body calls them.
  std::span<const FieldName> names;
};

// Reads body, If-Match and Idempotency-Key. InvalidArgument: INVALID_JSON, INVALID_BODY (also: members of more than one
// form, a name that is not the address's set, an empty region), INVALID_SECRET_SET_SIZE (more entries than a set holds,
// which are not even read), INVALID_HEADER, INVALID_QUERY (any query at all).
absl::StatusOr<SecretsWrite> ParseSecretsWrite(const Request& request);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_SECRET_WRITES_H_

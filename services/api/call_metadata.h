// What a call says of itself in its metadata.
//
// Thread safety: free functions, any thread.
#ifndef KEYFERRY_SERVICES_API_CALL_METADATA_H_
#define KEYFERRY_SERVICES_API_CALL_METADATA_H_

#include <grpcpp/support/string_ref.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace keyferry {

// As ServerContextBase::client_metadata has it.
using ClientMetadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// Name of the metadata, in calls and in answers.
inline constexpr char kRequestIdMetadata[] = "x-request-id";

// The caller's, when it sent exactly one of 1 to 64 printable ASCII characters; a random one otherwise.
std::string RequestIdOf(const ClientMetadata& metadata);

// The token in a value of `authorization`: behind `Bearer `, in any case, all of the rest. Unauthenticated: another scheme.
absl::StatusOr<std::string_view> TokenOfAuthorization(std::string_view value);

// The token of `authorization: Bearer <token>`, valid as long as the metadata; nullopt when the call has no
// authorization. Unauthenticated: more than one value, `authorization-bin`, or another scheme.
absl::StatusOr<std::optional<std::string_view>> BearerTokenOf(const ClientMetadata& metadata);

// 16 hex digits, random.
std::string NewIncidentId();

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_CALL_METADATA_H_

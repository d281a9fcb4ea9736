// Errors of the API about secret sets as a REST client reads them: fields by the names that it wrote, absence in the
// contract's words, a request id as the header that it came in.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_CONTRACT_WORDS_H_
#define KEYFERRY_SERVICES_GATEWAY_CONTRACT_WORDS_H_

#include <span>

#include "absl/status/status.h"
#include "services/gateway/violation_names.h"

namespace keyferry::gateway {

// Code, reason and metadata, which has the name of what is absent, stay. OK stays OK.
absl::Status InContractWords(const absl::Status& status, std::span<const FieldName> names);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_CONTRACT_WORDS_H_

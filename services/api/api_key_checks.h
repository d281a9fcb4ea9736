// What is asked of API keys, before anything is read: INVALID_API_KEY, INVALID_API_KEY_ID.
#ifndef KEYFERRY_SERVICES_API_API_KEY_CHECKS_H_
#define KEYFERRY_SERVICES_API_API_KEY_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "services/api/api_keys.h"

namespace keyferry {

absl::Status CheckRequest(const ApiKeyRequest& request);
absl::Status CheckId(const std::string& id);
absl::Status CheckRotation(const ApiKeyRotation& rotation);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_API_KEY_CHECKS_H_

// What is asked of a deployment's fields, before anything is read: INVALID_*, all that is wrong at once.
//
// Thread safety: free functions.
#ifndef KEYFERRY_SERVICES_API_DEPLOYMENT_CHECKS_H_
#define KEYFERRY_SERVICES_API_DEPLOYMENT_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "services/api/deployments.h"

namespace keyferry {

absl::Status CheckFields(const DeployRequest& request);
absl::Status CheckAgent(const std::string& agent);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_DEPLOYMENT_CHECKS_H_

#include "services/api/deployment_checks.h"

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/model/names.h"
#include "services/api/violations.h"

namespace keyferry {
namespace {

void CheckLength(std::string_view reason, std::string_view field, size_t length, size_t limit, Violations& violations) {
  if (length <= limit) return;
  violations.Add(reason,
                 FieldViolation{std::string(field), absl::StrCat("must be at most ", limit, " bytes; found ", length)});
}

}  // namespace

absl::Status CheckFields(const DeployRequest& request) {
  const Deployment& wanted = request.wanted;
  Violations violations;
  violations.Add("INVALID_AGENT_NAME", CheckAgentName("deployment.agent", wanted.agent));
  if (!wanted.secret_set.empty()) {
    violations.Add("INVALID_SECRET_SET_NAME", CheckSecretSetName("deployment.secret_set", wanted.secret_set));
  }
  if (!wanted.image_pull_secret.empty()) {
    violations.Add("INVALID_SECRET_SET_NAME",
                   CheckSecretSetName("deployment.image_pull_secret", wanted.image_pull_secret));
  }
  CheckLength("INVALID_IMAGE", "deployment.image", wanted.image.size(), kMaxImageLength, violations);
  CheckLength("INVALID_CLIENT_DATA", "deployment.client_data", wanted.client_data.size(), kMaxClientDataBytes,
              violations);
  if (wanted.required_keys.size() > kMaxKeysPerSet) {
    violations.Add("INVALID_REQUIRED_KEYS", FieldViolation{"deployment.required_keys",
                                                           absl::StrCat("must be at most ", kMaxKeysPerSet,
                                                                        " keys; found ", wanted.required_keys.size())});
  }
  for (size_t i = 0; i < wanted.required_keys.size() && i < kMaxKeysPerSet; ++i) {
    violations.Add("INVALID_SECRET_KEY",
                   CheckSecretKey(absl::StrCat("deployment.required_keys[", i, "]"), wanted.required_keys[i]));
  }
  CheckConditions(request.conditions, violations);
  return violations.ToStatus();
}

absl::Status CheckAgent(const std::string& agent) {
  Violations violations;
  violations.Add("INVALID_AGENT_NAME", CheckAgentName("agent", agent));
  return violations.ToStatus();
}

}  // namespace keyferry

// The deploy gate's judgement: may these sets, as they were read, become an agent's environment? Pure; what makes it
// hold at the moment of the commit is that the transaction pinned everything it was read from (deployments.cc).
//
// Thread safety: free functions.
#ifndef KEYFERRY_SERVICES_API_DEPLOYMENT_GATE_H_
#define KEYFERRY_SERVICES_API_DEPLOYMENT_GATE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "libs/model/secret_set.h"
#include "services/api/set_status.h"

namespace keyferry {

struct BoundSets {
  // nullopt: none is bound.
  std::optional<SecretSetView> secret_set;
  std::optional<SecretSetView> image_pull_secret;
};

// The bytes of `KEY=VALUE` and its terminator, over all keys.
size_t EnvironmentBytes(const std::vector<SecretSetEntry>& entries);

// INVALID_SECRET_SET_TYPE for each set that was named in the other's place.
absl::Status CheckBoundTypes(const BoundSets& sets);

// REGION_MISMATCH for each set in another region than the agent's.
absl::Status CheckBoundRegions(const BoundSets& sets, const std::string& agent, const std::string& region);

// OK: go ahead. Aborted with the first reason, in this order, and the others in the message: SECRET_SET_PENDING or
// SECRET_SET_FAILED (the secret set), MISSING_REQUIRED_KEYS, ENVIRONMENT_TOO_LARGE, SECRET_SET_PENDING or
// SECRET_SET_FAILED (the image pull secret). RetryInfo only where waiting is all that is needed.
absl::Status CheckGate(const BoundSets& sets, const std::vector<std::string>& required_keys);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_DEPLOYMENT_GATE_H_

// Waiting until a region has proved what was written.
#ifndef KEYFERRY_CLI_READINESS_WAIT_H_
#define KEYFERRY_CLI_READINESS_WAIT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/session.h"
#include "keyferry/v1/deployments.pb.h"
#include "keyferry/v1/secret_sets.pb.h"

namespace keyferry {

// The set once it is READY at `generation` or later; 0 means its generation now. Aborted, SECRET_SET_FAILED, when it
// failed; DeadlineExceeded, WAIT_TIMED_OUT, when it is still pending after `timeout`; what the API says otherwise.
absl::StatusOr<v1::SecretSet> WaitForSecretSet(Session& session, const std::string& name, int64_t generation,
                                               absl::Duration timeout);

// The deployment once its region serves `generation` or later. Aborted, DEPLOYMENT_FAILED; DeadlineExceeded as above.
absl::StatusOr<v1::Deployment> WaitForDeployment(Session& session, const std::string& agent, int64_t generation,
                                                 absl::Duration timeout);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_READINESS_WAIT_H_

#include "cli/readiness_wait.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/output.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr absl::Duration kFirstPoll = absl::Milliseconds(50);
constexpr absl::Duration kSlowestPoll = absl::Seconds(1);

absl::Status TimedOut(const std::string& what, const std::string& region, absl::Duration timeout) {
  return MakeError(absl::StatusCode::kDeadlineExceeded,
                   absl::StrCat(what, " is still pending in region ", region, " after ", DurationText(timeout)),
                   {.reason = "WAIT_TIMED_OUT"});
}

std::string Explanation(const std::string& message) { return message.empty() ? "" : absl::StrCat(": ", message); }

void SetDuration(absl::Duration from, google::protobuf::Duration& to) {
  absl::Duration rest;
  to.set_seconds(absl::IDivDuration(from, absl::Seconds(1), &rest));
  to.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

}  // namespace

absl::StatusOr<v1::SecretSet> WaitForSecretSet(Session& session, const std::string& name, int64_t generation,
                                               absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  v1::WaitUntilReadyRequest request;
  request.set_organization(session.settings().organization);
  request.set_secret_set(name);
  request.set_generation(generation);
  while (true) {
    // The API waits for at most so long at once.
    const absl::Duration wait = std::clamp(deadline - absl::Now(), absl::Milliseconds(1), kMaxWait);
    SetDuration(wait, *request.mutable_timeout());
    ASSIGN_OR_RETURN(v1::SecretSet set,
                     session.Call<v1::SecretSet>("SecretSets/WaitUntilReady", request, wait + kCallTimeout));
    if (set.readiness() == v1::READINESS_READY && set.ready_generation() >= generation) return set;
    if (set.readiness() == v1::READINESS_FAILED) {
      return MakeError(
          absl::StatusCode::kAborted,
          absl::StrCat("secret set ", name, " failed in region ", set.region(), Explanation(set.error_message())),
          {.reason = "SECRET_SET_FAILED", .metadata = {{"secretSet", name}}});
    }
    if (absl::Now() >= deadline) return TimedOut(absl::StrCat("secret set ", name), set.region(), timeout);
  }
}

absl::StatusOr<v1::Deployment> WaitForDeployment(Session& session, const std::string& agent, int64_t generation,
                                                 absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  v1::GetDeploymentRequest request;
  request.set_organization(session.settings().organization);
  request.set_agent(agent);
  for (absl::Duration pause = kFirstPoll;; pause = std::min(2 * pause, kSlowestPoll)) {
    ASSIGN_OR_RETURN(v1::Deployment deployment, session.Call<v1::Deployment>("Deployments/GetDeployment", request));
    if (deployment.readiness() == v1::READINESS_READY && deployment.ready_generation() >= generation) return deployment;
    if (deployment.readiness() == v1::READINESS_FAILED && deployment.generation() >= generation) {
      return MakeError(absl::StatusCode::kAborted,
                       absl::StrCat("deployment ", agent, " failed in region ", deployment.region(),
                                    Explanation(deployment.error_message())),
                       {.reason = "DEPLOYMENT_FAILED", .metadata = {{"deployment", agent}}});
    }
    if (absl::Now() >= deadline) return TimedOut(absl::StrCat("deployment ", agent), deployment.region(), timeout);
    absl::SleepFor(std::min(pause, deadline - absl::Now()));
  }
}

}  // namespace keyferry

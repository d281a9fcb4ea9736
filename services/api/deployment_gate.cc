#include "services/api/deployment_gate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"

namespace keyferry {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(1);

struct Problem {
  std::string message;
  ErrorDetails details;
};

ErrorDetails SetDetails(std::string_view reason, std::string_view state, const SecretSet& set) {
  return {.reason = std::string(reason),
          .metadata = {{"secretSet", set.name},
                       {"state", std::string(state)},
                       {"region", set.region},
                       {"generation", absl::StrCat(set.generation)}}};
}

// The generation is compared too, so that a placement can never vouch for another one.
bool IsReady(const SecretSetView& view) {
  return view.status.readiness == Readiness::kReady && view.status.observed_generation == view.set.generation;
}

std::optional<Problem> ReadinessProblem(const std::optional<SecretSetView>& view) {
  if (!view || IsReady(*view)) return std::nullopt;
  const SecretSet& set = view->set;
  if (view->status.readiness == Readiness::kFailed) {
    Problem problem{absl::StrCat("secret set \"", set.name, "\" is not provisioned in region ", set.region, ": ",
                                 FailureText(view->status)),
                    SetDetails("SECRET_SET_FAILED", "failed", set)};
    problem.details.metadata["errorMessage"] = FailureText(view->status);
    return problem;
  }
  const bool absent = view->region_connected && !*view->region_connected;
  Problem problem{
      absl::StrCat("secret set \"", set.name, "\" is still being provisioned into region ", set.region, " (generation ",
                   set.generation, ")", absent ? ", where no provisioner is connected at the moment" : "",
                   "; try again in a moment"),
      SetDetails("SECRET_SET_PENDING", "pending", set)};
  problem.details.retry_after = kRetryAfter;
  return problem;
}

std::optional<Problem> MissingKeys(const std::optional<SecretSetView>& view,
                                   const std::vector<std::string>& required_keys) {
  std::vector<std::string> missing;
  for (const std::string& key : required_keys) {
    if (!view || std::ranges::find(view->set.entries, key, &SecretSetEntry::key) == view->set.entries.end())
      missing.push_back(key);
  }
  if (missing.empty()) return std::nullopt;
  const std::string place = view ? absl::StrCat("secret set \"", view->set.name, "\" lacks required keys: ")
                                 : "the agent requires keys, but no secret set is bound that could hold them: ";
  return Problem{absl::StrCat(place, absl::StrJoin(missing, ", ")),
                 {.reason = "MISSING_REQUIRED_KEYS",
                  .metadata = {{"secretSet", view ? view->set.name : ""}, {"missingKeys", absl::StrJoin(missing, ",")}},
                  .blockers = std::move(missing)}};
}

std::optional<Problem> TooLarge(const std::optional<SecretSetView>& view) {
  if (!view) return std::nullopt;
  const size_t bytes = EnvironmentBytes(view->set.entries);
  if (bytes <= kMaxEnvironmentBytes) return std::nullopt;
  return Problem{absl::StrCat("secret set \"", view->set.name, "\" makes an environment of ", bytes,
                              " bytes; a process can start with at most ", kMaxEnvironmentBytes),
                 {.reason = "ENVIRONMENT_TOO_LARGE",
                  .metadata = {{"secretSet", view->set.name},
                               {"bytes", absl::StrCat(bytes)},
                               {"limit", absl::StrCat(kMaxEnvironmentBytes)}}}};
}

void CheckType(std::string_view field, const std::optional<SecretSetView>& view, SecretSetType type,
               std::string_view remedy, Violations& violations) {
  if (!view || view->set.type == type) return;
  violations.Add("INVALID_SECRET_SET_TYPE",
                 FieldViolation{std::string(field), absl::StrCat("\"", view->set.name, "\" is ", std::string(remedy))});
}

void CheckRegion(std::string_view field, const std::optional<SecretSetView>& view, const std::string& agent,
                 const std::string& region, Violations& violations) {
  if (!view || view->set.region == region) return;
  violations.Add("REGION_MISMATCH",
                 FieldViolation{std::string(field), absl::StrCat("secret set \"", view->set.name, "\" is in region ",
                                                                 view->set.region, ", agent \"", agent, "\" in region ",
                                                                 region, "; they must be in the same region")});
}

}  // namespace

size_t EnvironmentBytes(const std::vector<SecretSetEntry>& entries) {
  size_t bytes = 0;
  for (const SecretSetEntry& entry : entries) bytes += entry.key.size() + entry.value_bytes + 2;
  return bytes;
}

absl::Status CheckBoundTypes(const BoundSets& sets) {
  Violations violations;
  CheckType("deployment.secret_set", sets.secret_set, SecretSetType::kSecret,
            "an image pull secret, which holds no environment; bind it as the agent's image pull secret", violations);
  CheckType("deployment.image_pull_secret", sets.image_pull_secret, SecretSetType::kImagePullSecret,
            "a regular secret set, which pulls no images; bind it as the agent's secret set", violations);
  return violations.ToStatus();
}

absl::Status CheckBoundRegions(const BoundSets& sets, const std::string& agent, const std::string& region) {
  Violations violations;
  CheckRegion("deployment.secret_set", sets.secret_set, agent, region, violations);
  CheckRegion("deployment.image_pull_secret", sets.image_pull_secret, agent, region, violations);
  return violations.ToStatus();
}

absl::Status CheckGate(const BoundSets& sets, const std::vector<std::string>& required_keys) {
  std::vector<Problem> problems;
  for (const std::optional<Problem>& problem :
       {ReadinessProblem(sets.secret_set), MissingKeys(sets.secret_set, required_keys), TooLarge(sets.secret_set),
        ReadinessProblem(sets.image_pull_secret)}) {
    if (problem) problems.push_back(*problem);
  }
  if (problems.empty()) return absl::OkStatus();
  ErrorDetails details = problems.front().details;
  if (!std::ranges::all_of(problems, [](const Problem& problem) { return problem.details.retry_after.has_value(); })) {
    details.retry_after.reset();
  }
  const std::string message = absl::StrJoin(
      problems, "; also: ", [](std::string* out, const Problem& problem) { out->append(problem.message); });
  return MakeError(absl::StatusCode::kAborted, message, std::move(details));
}

}  // namespace keyferry

#include "services/api/api_key_checks.h"

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "services/api/violations.h"

namespace keyferry {
namespace {

absl::Status CheckLifetime(const std::optional<absl::Duration>& time_to_live, Violations& violations) {
  if (!time_to_live || (*time_to_live >= kMinApiKeyLifetime && *time_to_live <= kMaxApiKeyLifetime))
    return violations.ToStatus();
  violations.Add("INVALID_API_KEY",
                 FieldViolation{"time_to_live", absl::StrCat("must be 1 minute to 3650 days; found ",
                                                             absl::FormatDuration(*time_to_live))});
  return violations.ToStatus();
}

}  // namespace

absl::Status CheckRequest(const ApiKeyRequest& request) {
  Violations violations;
  if (request.display_name.size() > kMaxDisplayNameLength) {
    violations.Add("INVALID_API_KEY",
                   FieldViolation{"display_name", absl::StrCat("must have at most ", kMaxDisplayNameLength,
                                                               " bytes, not ", request.display_name.size())});
  }
  if (request.role < Role::kAdmin || request.role > Role::kViewer)
    violations.Add("INVALID_API_KEY", FieldViolation{"role", "must be admin, member, deployer or viewer"});
  return CheckLifetime(request.time_to_live, violations);
}

absl::Status CheckId(const std::string& id) {
  if (IsApiKeyId(id)) return absl::OkStatus();
  return InvalidFields("INVALID_API_KEY_ID", {{"id", "must be the 10 characters after kf_"}});
}

absl::Status CheckRotation(const ApiKeyRotation& rotation) {
  RETURN_IF_ERROR(CheckId(rotation.id));
  Violations violations;
  if (rotation.overlap < absl::ZeroDuration() || rotation.overlap > kMaxRotationOverlap) {
    violations.Add("INVALID_API_KEY", FieldViolation{"overlap", absl::StrCat("must be 0 to 30 days; found ",
                                                                             absl::FormatDuration(rotation.overlap))});
  }
  return CheckLifetime(rotation.time_to_live, violations);
}

}  // namespace keyferry

#include "cli/error_report.h"

#include <iterator>
#include <map>

#include "absl/strings/str_cat.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "libs/common/error.h"

namespace keyferry {
namespace {

std::string SetNameIn(const ErrorDetails& details) {
  for (const char* name : {"secretSet", "resource"}) {
    if (const auto found = details.metadata.find(name); found != details.metadata.end()) return found->second;
  }
  return "NAME";
}

std::string NextStep(const ErrorDetails& details) {
  if (details.reason == "SECRET_SET_PENDING") {
    return absl::StrCat("wait for it with `keyferry secrets wait ", SetNameIn(details), "`, or deploy with --wait");
  }
  if (details.reason == "SECRET_SET_FAILED")
    return absl::StrCat("write it again with `keyferry secrets set ", SetNameIn(details), " …`");
  if (details.reason == "SECRET_SET_IN_USE")
    return "--force deletes it anyway; the deployments keep the values they were deployed with";
  if (details.reason == "ETAG_MISMATCH") return "read the set again and look at what changed before you write";
  if (details.reason == kUsageReason) return "see `keyferry --help`";
  return "";
}

void AppendLine(std::string& report, std::string_view name, std::string_view text) {
  if (!text.empty()) absl::StrAppend(&report, "  ", Printable(name), ": ", Printable(text), "\n");
}

}  // namespace

int ExitCodeFor(const absl::Status& status) {
  static const auto& by_reason =
      *new std::map<std::string, int, std::less<>>{{kUsageReason, kExitUsage},
                                                   {"SECRET_SET_PENDING", kExitNotReady},
                                                   {"SECRET_SET_FAILED", kExitNotReady},
                                                   {"DEPLOYMENT_FAILED", kExitNotReady},
                                                   {kProgramNotFoundReason, kExitProgramNotFound},
                                                   {kProgramNotExecutableReason, kExitProgramNotExecutable}};
  if (status.ok()) return kExitOk;
  if (const auto found = by_reason.find(ReasonOf(status)); found != by_reason.end()) return found->second;
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      return kExitNotReady;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
      return kExitConflict;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return kExitDenied;
    default:
      return kExitError;
  }
}

std::string ErrorReport(const absl::Status& status) {
  if (status.ok()) return "";
  const ErrorDetails details = DetailsOf(status).value_or(ErrorDetails{});
  std::string report = absl::StrCat("error: ", Printable(std::string(status.message())), "\n");
  if (details.violations.size() > 1) {
    for (const FieldViolation& violation : details.violations)
      AppendLine(report, violation.field, violation.description);
  }
  for (const std::string& blocker : details.blockers) AppendLine(report, "in the way", blocker);
  if (details.retry_after) AppendLine(report, "retry after", DurationText(*details.retry_after));
  AppendLine(report, "what to do", NextStep(details));
  if (details.reason != kUsageReason) AppendLine(report, "reason", details.reason);
  for (const char* name : {"etag", "requestId"}) {
    if (const auto found = details.metadata.find(name); found != details.metadata.end())
      AppendLine(report, name, found->second);
  }
  return report;
}

}  // namespace keyferry

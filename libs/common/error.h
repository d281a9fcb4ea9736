// What an error tells its reader beyond code and message: it travels inside an absl::Status as a payload and becomes google.rpc.Status
// details at the edge (libs/rpc/status_conversion). Never put a secret byte into any part of it.
#ifndef KEYFERRY_COMMON_ERROR_H_
#define KEYFERRY_COMMON_ERROR_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace keyferry {

struct FieldViolation {
  // As in the request: `entries[3].key`.
  std::string field;
  std::string description;
};

struct ErrorDetails {
  // UPPER_SNAKE_CASE, DESIGN.md section 6: `SECRET_SET_PENDING`.
  std::string reason;
  std::map<std::string, std::string> metadata;
  std::vector<FieldViolation> violations;
  std::optional<absl::Duration> retry_after;
  // What stands in the way: the deployments that bind a set, the keys that are missing.
  std::vector<std::string> blockers;
};

absl::Status MakeError(absl::StatusCode code, std::string_view message, ErrorDetails details);
// InvalidArgument whose message lists every violation.
absl::Status InvalidFields(std::string_view reason, std::vector<FieldViolation> violations);
// NotFound with metadata resource=name.
absl::Status NotFound(std::string_view reason, std::string_view message, std::string_view resource);

// nullopt when the status carries none.
std::optional<ErrorDetails> DetailsOf(const absl::Status& status);
// Reason of the details; empty when there are none.
std::string ReasonOf(const absl::Status& status);

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_ERROR_H_

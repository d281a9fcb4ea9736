// Errors of the person at the keyboard: the command line, a file it names, the configuration. Exit code 2.
#ifndef KEYFERRY_CLI_USAGE_H_
#define KEYFERRY_CLI_USAGE_H_

#include <string_view>

#include "absl/status/status.h"
#include "libs/common/error.h"

namespace keyferry {

inline constexpr char kUsageReason[] = "USAGE";

// InvalidArgument, reason USAGE. The message never holds a value.
inline absl::Status UsageError(std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message, {.reason = kUsageReason});
}

}  // namespace keyferry

#endif  // KEYFERRY_CLI_USAGE_H_

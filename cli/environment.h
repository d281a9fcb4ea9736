// The environment that `keyferry run` gives to its command. Pure: nothing is set in our own.
#ifndef KEYFERRY_CLI_ENVIRONMENT_H_
#define KEYFERRY_CLI_ENVIRONMENT_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace keyferry {

// A deployed value; it lives as long as its owner.
struct EnvironmentValue {
  std::string_view name;
  std::string_view value;
};

struct EnvironmentOptions {
  // Of the caller's environment only PATH HOME LANG TERM TZ USER.
  bool clean = false;
  // Leave out what cannot be a variable, with a warning, instead of refusing.
  bool skip_invalid_names = false;
};

struct ProgramEnvironment {
  // `NAME=VALUE`, each name once: the caller's without KEYFERRY_*, then the values, which win.
  std::vector<std::string> entries;
  // With names, never values.
  std::vector<std::string> warnings;
};

// FailedPrecondition, INVALID_ENVIRONMENT_NAME, listing every name that does not match [A-Za-z_][A-Za-z0-9_]*, or every
// value that holds a NUL byte.
absl::StatusOr<ProgramEnvironment> BuildEnvironment(std::span<const EnvironmentValue> values,
                                                    std::span<const std::string> caller,
                                                    const EnvironmentOptions& options);

struct ExecLimits {
  // Arguments and environment together, with a pointer each.
  size_t total_bytes;
  // One argument or variable with its terminator.
  size_t string_bytes;
};
// What the kernel grants this process.
ExecLimits CurrentExecLimits();

// FailedPrecondition, ENVIRONMENT_TOO_LARGE, with the sizes: what execve would refuse with E2BIG.
absl::Status CheckExecLimits(std::span<const std::string> entries, std::span<const std::string> program,
                             const ExecLimits& limits);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_ENVIRONMENT_H_

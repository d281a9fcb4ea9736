// How a command's failure reaches its caller: an exit code for programs, lines on standard error for people.
#ifndef KEYFERRY_CLI_ERROR_REPORT_H_
#define KEYFERRY_CLI_ERROR_REPORT_H_

#include <string>

#include "absl/status/status.h"

namespace keyferry {

// docs/cli.md, "Exit codes", has this table for users.
inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotReady = 3;
inline constexpr int kExitConflict = 4;
inline constexpr int kExitDenied = 5;
// `keyferry run`, as shells do.
inline constexpr int kExitProgramNotExecutable = 126;
inline constexpr int kExitProgramNotFound = 127;

// Reasons of our own that have exit codes of their own.
inline constexpr char kProgramNotFoundReason[] = "PROGRAM_NOT_FOUND";
inline constexpr char kProgramNotExecutableReason[] = "PROGRAM_NOT_EXECUTABLE";

int ExitCodeFor(const absl::Status& status);

// `error: …`, then one indented line for each violation and blocker, what to do next, reason and request id. "" for OK.
std::string ErrorReport(const absl::Status& status);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_ERROR_REPORT_H_

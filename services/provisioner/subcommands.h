// What keyferry-provisioner does besides serving: keyrings and enrolling.
#ifndef KEYFERRY_SERVICES_PROVISIONER_SUBCOMMANDS_H_
#define KEYFERRY_SERVICES_PROVISIONER_SUBCOMMANDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace keyferry {

inline constexpr int kExitUnavailable = 1;
// EX_NOPERM of sysexits.h: the API said no.
inline constexpr int kExitRefused = 77;
inline constexpr int kExitConfiguration = 78;

// words: not empty. Prints what it made on standard output, and what went wrong, for people, on standard error. Its
// exit code.
int RunSubcommand(const std::vector<std::string>& words);

// 0; kExitUnavailable: worth trying again; kExitRefused; kExitConfiguration: all else.
int ExitCodeOf(const absl::Status& status);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_SUBCOMMANDS_H_

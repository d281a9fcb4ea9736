// Command lines of the daemons: abseil's flags, written with hyphens (`--data-dir`), as everywhere else in the product.
//
// Thread safety: at the start of main.
#ifndef KEYFERRY_COMMON_FLAGS_H_
#define KEYFERRY_COMMON_FLAGS_H_

#include <string>
#include <string_view>
#include <vector>

namespace keyferry {

// EX_CONFIG of sysexits.h, as the daemons exit on any other mistake in their configuration.
inline constexpr int kExitBadFlags = 78;

// Sets the flags and answers the other words, without the program's name. A flag that does not exist, or a value that
// it cannot have, ends the process with kExitBadFlags; abseil alone would exit with 1. `--help` shows `usage` and the
// flags that are defined below the directory `sources`, and exits with 1.
std::vector<std::string> ParseFlags(int argc, char** argv, std::string_view usage, std::string sources);

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_FLAGS_H_

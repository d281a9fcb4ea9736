// Command lines of the daemons: abseil's flags, written with hyphens (`--data-dir`), as everywhere else in the product.
//
// Thread safety: at the start of main.
#ifndef KEYFERRY_COMMON_FLAGS_H_
#define KEYFERRY_COMMON_FLAGS_H_

#include <string>
#include <string_view>
#include <vector>

namespace keyferry {

// Sets the flags and answers the other words, without the program's name. A flag that does not exist ends the process. `--help` shows
// `usage` and the flags that are defined below the directory `sources`.
std::vector<std::string> ParseFlags(int argc, char** argv, std::string_view usage, std::string sources);

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_FLAGS_H_

// The end of the process when the outcome of a write cannot be known: only recovery can tell what is on the disk.
#ifndef KEYFERRY_STORAGE_FAIL_STOP_H_
#define KEYFERRY_STORAGE_FAIL_STOP_H_

#include <string_view>

namespace keyferry {

inline constexpr int kStoreFailedExitCode = 70;

// Logs `store_failed` and ends the process at once, destructors left out.
[[noreturn]] void FailStop(std::string_view what, std::string_view why);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_FAIL_STOP_H_

// What the fuzz targets share: a target is a file that defines LLVMFuzzerTestOneInput and aborts when an invariant does
// not hold. libFuzzer drives it (./dev fuzz), or replay_main.cc (ctest).
//
// Thread safety: none; one input at a time.
#ifndef KEYFERRY_TESTS_FUZZ_FUZZ_H_
#define KEYFERRY_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace keyferry {

// Stands for a secret: no error may hold it. No name is spelled like this, so none that is rightly repeated looks like
// it.
inline constexpr std::string_view kSentinel = "S3nt!nel-9k_Zq4~";

inline std::string_view TextOf(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// The text with the sentinel in it, at a place that depends on the text alone.
std::string WithSentinel(std::string_view text);

// Aborts, with `what`, unless it holds.
void Require(bool holds, const char* what);
// An error with this reason, whose message and details do not hold the sentinel.
void RequireCleanError(const absl::Status& status, std::string_view reason);
// An error whose message does not hold the sentinel; it may have no reason.
void RequireSilent(const absl::Status& status);
// An error with any reason but none, clean as above.
void RequireCleanError(const absl::Status& status);

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_FUZZ_FUZZ_H_

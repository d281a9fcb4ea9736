// Places where a test ends the process, lets a step fail or holds it: before and after everything that must outlive a
// crash. docs/reliability.md, "Failpoints", tells how they are used.
//
// Only in builds with the CMake option KEYFERRY_FAILPOINTS; in others the macros are empty, and nothing of this file,
// not even a name, gets into a program. When nothing is armed a failpoint is one relaxed load.
//
// KEYFERRY_FAILPOINTS=`name=action@n,...` arms them at the start (FAILPOINTS_FROM_ENVIRONMENT): action is
//   crash      SIGKILL, at once: no destructor, no flush
//   error      FAILPOINT_OR_RETURN returns kUnavailable; refused for a FAILPOINT, which cannot fail
//   sleep:MS   a delay
//   pause      waits until the failpoint is armed otherwise or no more
//   mark       nothing but the line in KEYFERRY_FAILPOINTS_FIRED; `*=mark` is of all of them
// and n, from 1 on, the one pass at which it acts; without it every pass does. KEYFERRY_FAILPOINTS_FILE names a file
// of the same text, or an empty one, which is read anew whenever it changes; FILE.armed then gets that text. In
// KEYFERRY_FAILPOINTS_FIRED, a directory, each action appends a line to a file of the failpoint's name before it acts.
// What is malformed ends the process with kExitBadFailpoint.
//
// Thread safety: everything here is safe from any thread.
#ifndef KEYFERRY_COMMON_FAILPOINT_H_
#define KEYFERRY_COMMON_FAILPOINT_H_

#ifdef KEYFERRY_FAILPOINTS

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libs/common/failpoint_names.h"

namespace keyferry::failpoint {

// EX_CONFIG of sysexits.h.
inline constexpr int kExitBadFailpoint = 78;

inline std::atomic<int> armed_count{0};
inline bool AnyArmed() { return armed_count.load(std::memory_order_relaxed) != 0; }

// Its place in kFailpoints. A name that is not there does not compile.
consteval size_t NumberOf(std::string_view name, bool can_fail) {
  for (size_t i = 0; i < std::size(kFailpoints); ++i) {
    if (kFailpoints[i].name == name && kFailpoints[i].can_fail == can_fail) return i;
  }
  throw "failpoint_names.h has no failpoint of this name and kind";
}

// What the macros call when any failpoint is armed. Pass: kUnavailable for `error`, else OK.
absl::Status Pass(size_t number);

// Arms what `text` says, and nothing else any more. InvalidArgument, and nothing changed: what is wrong with it.
absl::Status Arm(std::string_view text);

// Reads the environment. Call once, at the start of main, after signals were blocked.
void ArmFromEnvironment();

// How often it was passed since the last Arm, while anything was armed.
int PassCount(std::string_view name);

// Armed until the end of the scope; CHECKs `text`. One at a time.
class Armed {
 public:
  explicit Armed(std::string_view text);
  ~Armed();
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;
};

}  // namespace keyferry::failpoint

#define FAILPOINT(name)                                                                                   \
  do {                                                                                                    \
    constexpr size_t keyferry_failpoint = ::keyferry::failpoint::NumberOf(name, false);                   \
    if (::keyferry::failpoint::AnyArmed()) ::keyferry::failpoint::Pass(keyferry_failpoint).IgnoreError(); \
  } while (false)

// Where the enclosing function returns an absl::Status or StatusOr.
#define FAILPOINT_OR_RETURN(name)                                                                             \
  do {                                                                                                        \
    constexpr size_t keyferry_failpoint = ::keyferry::failpoint::NumberOf(name, true);                        \
    if (::keyferry::failpoint::AnyArmed()) {                                                                  \
      if (absl::Status failed = ::keyferry::failpoint::Pass(keyferry_failpoint); !failed.ok()) return failed; \
    }                                                                                                         \
  } while (false)

#define FAILPOINTS_FROM_ENVIRONMENT() ::keyferry::failpoint::ArmFromEnvironment()

#else

#define FAILPOINT(name) static_cast<void>(0)
#define FAILPOINT_OR_RETURN(name) static_cast<void>(0)
#define FAILPOINTS_FROM_ENVIRONMENT() static_cast<void>(0)

#endif

#endif  // KEYFERRY_COMMON_FAILPOINT_H_

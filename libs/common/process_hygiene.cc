#include "libs/common/process_hygiene.h"

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "absl/synchronization/mutex.h"
#include "libs/common/log.h"
#include "libs/common/zeroing_free.h"

namespace keyferry {
namespace {

// Below and above what glibc's per-thread cache holds.
constexpr size_t kProbeSizes[] = {56, 1000, 4096, 65536};

[[noreturn]] void GiveUp(std::string_view event, std::string_view reason) {
  Log(Severity::kError, event, {{"reason", reason}});
  std::exit(kExitNotHardened);
}

void ForbidDumps() {
  const rlimit none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) GiveUp("core_dumps_not_disabled", strerror(errno));
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) GiveUp("process_still_dumpable", strerror(errno));
}

void RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    Log(Severity::kWarning, "file_limit_not_raised", {{"error", strerror(errno)}});
}

void VerifyZeroingFree() {
  if (!KEYFERRY_ZEROING_FREE) return;
  for (const size_t size : kProbeSizes) {
    if (!FreedMemoryIsZeroed(size)) {
      GiveUp("freed_memory_not_zeroed", "another malloc stands before ours; start without LD_PRELOAD");
    }
  }
}

}  // namespace

void HardenProcess() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  ForbidDumps();
  RaiseFileLimit();
  VerifyZeroingFree();
  mallopt(M_MMAP_THRESHOLD, kMappedBytes);
}

void KeepReturningMemory(Executor& executor) {
  executor.RunAfter(kMemoryReturnInterval, [&executor] {
    malloc_trim(0);
    KeepReturningMemory(executor);
  });
}

std::vector<std::string> OriginalEnvironment() {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) result.emplace_back(*entry);
  return result;
}

}  // namespace keyferry

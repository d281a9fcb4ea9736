// Threads for work that gives way to others': where a core is wanted by both, the kernel serves this pool's threads with a tenth of its usual share, and, from Linux 6.12 on, at once takes
// the core from one of them for a thread that wakes (EEVDF, Documentation/scheduler/sched-eevdf.rst: shorter slices go first).
//
// Thread safety: as executor.h.
#ifndef KEYFERRY_COMMON_BACKGROUND_POOL_H_
#define KEYFERRY_COMMON_BACKGROUND_POOL_H_

#include <memory>

#include "absl/time/time.h"
#include "libs/common/executor.h"

namespace keyferry {

// Added to the process' own; sched(7): 110 of 1024 parts.
inline constexpr int kBackgroundNiceness = 10;

// Longer than the kernel's own: 0.7 ms to 2.8 ms by the number of CPUs.
inline constexpr absl::Duration kBackgroundSlice = absl::Milliseconds(20);

// As NewThreadPool. Where the process may not lower its priority (setpriority(2) refused by a seccomp filter) the threads run at the usual one, and it says so once.
std::unique_ptr<Executor> NewBackgroundPool(int thread_count);

// The calling thread gives way from now on, likewise: for a thread of one's own.
void GiveWay();
// Whether it does.
bool GivesWay();

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_BACKGROUND_POOL_H_

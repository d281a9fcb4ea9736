// What a process does first when it will see plaintext. Wiping our own buffers is not enough, since gRPC and protobuf
// copy values: so freed memory is overwritten, all of it. docs/adr/2026-11-22-zero-on-free tells why not by
// glibc.malloc.perturb.
//
// Thread safety: call HardenProcess at the start of main, before any thread. OriginalEnvironment: as getenv. KeepReturningMemory: any thread.
#ifndef KEYFERRY_COMMON_PROCESS_HYGIENE_H_
#define KEYFERRY_COMMON_PROCESS_HYGIENE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "libs/common/executor.h"

namespace keyferry {

// Exit status when the process cannot be made safe (EX_CONFIG of sysexits.h).
inline constexpr int kExitNotHardened = 78;

inline constexpr size_t kMappedBytes = size_t{256} << 10;

// 1. Core dumps off and /proc/PID/mem closed to others (RLIMIT_CORE, PR_SET_DUMPABLE).
// 2. RLIMIT_NOFILE raised to its hard limit. Programs that this one starts inherit both limits.
// 3. Frees blocks and looks whether they were overwritten, which linking this file brings about (zeroing_free.h).
// 4. Turns absl's search for deadlocks off, which Debian builds in: it costs every lock of gRPC and ours a graph's lock, and belongs into tests.
// 5. Blocks of kMappedBytes and more are mapped on their own and gone once freed (mallopt(3), M_MMAP_THRESHOLD). glibc would raise that bound with the first one freed, to 32 MiB: RocksDB's
//    memtables, 2 MiB a piece, then lie in the threads' arenas among small blocks and leave holes, which were half of the API's memory after two hours.
// When 1 or 3 fails, logs and exits with kExitNotHardened. A second call does the same again. Sanitizer builds, which
// have a malloc of their own, leave 3 out.
void HardenProcess();

// glibc keeps whole pages that are free between blocks that are not; after each interval the kernel gets them back (malloc_trim(3)), until the executor ends.
// Holds each arena's lock for milliseconds: not for an executor whose threads give way.
inline constexpr absl::Duration kMemoryReturnInterval = absl::Minutes(1);
void KeepReturningMemory(Executor& executor);

// The environment as `name=value`, for the programs that this one starts.
std::vector<std::string> OriginalEnvironment();

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_PROCESS_HYGIENE_H_

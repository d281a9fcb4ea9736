// The two pools of the process: one for calls, and one for what serves many sets at a time and must not hold up a call: regions that catch up, rotations, deletions,
// sweeps (docs/adr/2026-11-23-background-pool.md).
//
// Thread safety: as ClosableExecutor.
#ifndef KEYFERRY_SERVICES_API_EXECUTORS_H_
#define KEYFERRY_SERVICES_API_EXECUTORS_H_

#include "libs/common/background_pool.h"
#include "services/api/closable_executor.h"

namespace keyferry {

struct Executors {
  explicit Executors(int thread_count) : calls(thread_count), background(NewBackgroundPool(thread_count)) {}

  // The background's last work may give some to the calls' pool; what goes the other way is dropped.
  void Close() {
    background.Close();
    calls.Close();
  }

  ClosableExecutor calls;
  ClosableExecutor background;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_EXECUTORS_H_

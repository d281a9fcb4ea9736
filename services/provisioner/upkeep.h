// Upkeep: a thread that does what is due, again and again: it asks its step how long to sleep, and sleeps that long or
// until it is nudged.
//
// Thread safety: all methods from any thread but its own.
#ifndef KEYFERRY_SERVICES_PROVISIONER_UPKEEP_H_
#define KEYFERRY_SERVICES_PROVISIONER_UPKEEP_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace keyferry {

class Upkeep {
 public:
  // step runs on the thread, first at once; it answers how long it wants to be left alone.
  explicit Upkeep(std::function<absl::Duration()> step);
  // Waits for a step that runs.
  ~Upkeep();
  Upkeep(const Upkeep&) = delete;
  Upkeep& operator=(const Upkeep&) = delete;

  // The step runs soon (again).
  void Nudge();

 private:
  void Run();

  const std::function<absl::Duration()> step_;
  absl::Mutex mutex_;
  bool nudged_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_UPKEEP_H_

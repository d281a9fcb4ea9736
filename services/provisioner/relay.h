// Relay: runs what it is given one after another, in order, like a Strand, but on the thread that brings it unless another is
// at it already: who comes with work that follows from its own needs no other thread to wake. What is long must leave it by an executor of two threads
// or more.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_RELAY_H_
#define KEYFERRY_SERVICES_PROVISIONER_RELAY_H_

#include <deque>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace keyferry {

class Relay {
 public:
  // Runs it and what others bring meanwhile, or leaves it to whoever is running now (who may be the caller).
  void Run(std::function<void()> work);

 private:
  absl::Mutex mutex_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_RELAY_H_

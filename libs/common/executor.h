// Where work runs that must not hold up gRPC's threads: a fixed pool, strands on it, and timers.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_COMMON_EXECUTOR_H_
#define KEYFERRY_COMMON_EXECUTOR_H_

#include <functional>
#include <memory>

#include "absl/time/time.h"

namespace keyferry {

class Executor {
 public:
  virtual ~Executor() = default;
  // Runs it soon, in no promised order.
  virtual void Run(std::function<void()> work) = 0;
  // Runs it once after the delay, unless the executor ends before.
  virtual void RunAfter(absl::Duration delay, std::function<void()> work) = 0;
};

// Threads of its own; the destructor finishes what Run was given and drops what RunAfter was. Whoever owns it destroys it, on a
// thread that is not one of its own, which would wait for itself; so no work may hold its last owner. When the destructor
// starts, nobody but its own work may call it any more.
std::unique_ptr<Executor> NewThreadPool(int thread_count);

// Runs what it is given one after another, in order, on the executor beneath, which outlives it.
// Owned by shared_ptr: work that Run was given keeps it alive, work that RunAfter was given does not and is dropped with it. The
// last owner may let go on any thread, its own work included.
class Strand : public std::enable_shared_from_this<Strand> {
 public:
  static std::shared_ptr<Strand> Create(Executor& executor);
  void Run(std::function<void()> work);
  void RunAfter(absl::Duration delay, std::function<void()> work);
  // All that has not begun, and what comes later, runs there, likewise outlived; timers that run already stay where they are. Its own work may call it.
  void MoveTo(Executor& executor);
  ~Strand();

 private:
  explicit Strand(Executor& executor);
  void TakeTurnOn(Executor& executor);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_EXECUTOR_H_

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

// Threads of its own; the destructor finishes what Run was given and drops what RunAfter was.
std::unique_ptr<Executor> NewThreadPool(int thread_count);

// Runs what it is given one after another, in order, on the executor beneath, which outlives it.
// Must be owned by a shared_ptr: queued work keeps it alive.
class Strand : public std::enable_shared_from_this<Strand> {
 public:
  static std::shared_ptr<Strand> Create(Executor& executor);
  void Run(std::function<void()> work);
  void RunAfter(absl::Duration delay, std::function<void()> work);
  ~Strand();

 private:
  explicit Strand(Executor& executor);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_EXECUTOR_H_

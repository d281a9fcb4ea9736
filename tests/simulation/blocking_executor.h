// The executor of jobs that wait for the store.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_BLOCKING_EXECUTOR_H_
#define KEYFERRY_TESTS_SIMULATION_BLOCKING_EXECUTOR_H_

#include <functional>
#include <utility>

#include "tests/simulation/sim_store.h"

namespace keyferry {

// Runs what it is given as work that may wait for the store.
class BlockingExecutor final : public Executor {
 public:
  BlockingExecutor(Process& process, SimStore& store) : process_(process), store_(store) {}
  void Run(std::function<void()> work) override { process_.Run(Wrap(std::move(work))); }
  void RunAfter(absl::Duration delay, std::function<void()> work) override {
    process_.RunAfter(delay, Wrap(std::move(work)));
  }

 private:
  std::function<void()> Wrap(std::function<void()> work) {
    return [this, work = std::move(work)] {
      const SimStore::Blocking blocking(store_);
      work();
    };
  }
  Process& process_;
  SimStore& store_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_BLOCKING_EXECUTOR_H_

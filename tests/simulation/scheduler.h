// The simulated machine room: one queue of events in simulated time, from which a seed decides what comes first, and
// processes that can be paused and killed. Nothing else of a simulation runs by itself.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_SCHEDULER_H_
#define KEYFERRY_TESTS_SIMULATION_SCHEDULER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "libs/common/executor.h"
#include "tests/simulation/trace.h"

namespace keyferry {

class Process;

class Scheduler {
 public:
  Scheduler(uint64_t seed, bool print) : random_(seed), trace_(now_, print) {}

  absl::Duration now() const { return now_; }
  Random& random() { return random_; }
  Trace& trace() { return trace_; }
  uint64_t step_count() const { return step_count_; }

  // Null: nobody's, always done. Otherwise dropped when the process is dead by then, and put off while it is paused.
  void After(absl::Duration delay, Process* process, std::function<void()> work);
  // False: nothing is left to do.
  bool RunOne();
  // Up to `count` pieces of work of this process that are due within a millisecond, in the midst of another piece of
  // its work, as if on another thread.
  void RunBeside(Process& process, size_t count);

 private:
  struct Event {
    Process* process;
    std::function<void()> work;
  };
  using Key = std::tuple<absl::Duration, uint32_t, uint64_t>;
  void Run(Event event);

  absl::Duration now_;
  Random random_;
  Trace trace_;
  std::map<Key, Event> events_;
  uint64_t event_count_ = 0;
  uint64_t step_count_ = 0;
};

// One life of a process: what it is given to run, and its clocks. Stays in memory when it is dead, for what others hold
// of it.
class Process final : public Executor, public Clock {
 public:
  Process(Scheduler& scheduler, std::string name, const absl::Duration& wall_error)
      : scheduler_(scheduler), name_(std::move(name)), wall_error_(wall_error) {}

  const std::string& name() const { return name_; }
  Scheduler& scheduler() { return scheduler_; }
  bool alive() const { return alive_; }
  // Nothing that it was given runs from now on.
  void Kill() { alive_ = false; }
  void PauseUntil(absl::Duration time) { paused_until_ = time; }
  absl::Duration paused_until() const { return paused_until_; }

  void Run(std::function<void()> work) override;
  void RunAfter(absl::Duration delay, std::function<void()> work) override;
  absl::Time Now() const override;
  absl::Duration Monotonic() const override { return absl::Hours(1) + scheduler_.now(); }

  // Whose work runs now; nullptr: nobody's.
  static Process* Current();

 private:
  Scheduler& scheduler_;
  const std::string name_;
  const absl::Duration& wall_error_;
  bool alive_ = true;
  absl::Duration paused_until_;
};

// Thrown in the midst of a process's work: it has ended there.
struct ProcessEnded {};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_SCHEDULER_H_

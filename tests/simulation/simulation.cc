#include "tests/simulation/simulation.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/simulation/chaos.h"
#include "tests/simulation/oracles.h"
#include "tests/simulation/seams.h"

namespace keyferry {
namespace {

constexpr absl::Duration kLeastChaos = absl::Seconds(20);
constexpr absl::Duration kMostChaos = absl::Seconds(80);
constexpr absl::Duration kSettleWithin = absl::Minutes(20);
// What was tampered with is found by the second check of the sinks (SyncTimings::check_sinks) at the latest.
constexpr absl::Duration kSinksAreChecked = absl::Seconds(65);
constexpr absl::Duration kOperatorInterval = absl::Seconds(40);
constexpr int kStepsPerIndexCheck = 500;
// Longer than any request waits.
constexpr absl::Duration kLastAnswers = absl::Minutes(1);

class Run {
 public:
  explicit Run(const SimulationOptions& options)
      : world_(options.seed, options.bug, options.print), workload_(world_), chaos_(world_, workload_) {}

  void Go() {
    workload_.Begin();
    chaos_.Begin();
    RunFor(world_.random().Between(kLeastChaos, kMostChaos));
    chaos_.End();
    workload_.Stop();
    const absl::Duration calm = world_.scheduler().now();
    RunUntil(kLastAnswers, [this] { return workload_.idle(); });
    Settle();
    settled_after_ = world_.scheduler().now() - calm;
    if (!world_.failure().empty()) return;
    world_.oracles().CheckEnd();
    workload_.CheckEnd();
  }

  void Report(Outcome& outcome) {
    Scheduler& scheduler = world_.scheduler();
    outcome.failed = !world_.failure().empty();
    outcome.steps = scheduler.step_count();
    outcome.trace_hash = scheduler.trace().hash();
    outcome.calls = static_cast<uint64_t>(workload_.call_count());
    outcome.answers = static_cast<uint64_t>(workload_.done_count());
    outcome.commits = WithLineage(world_.api().disk().head, 0);
    outcome.simulated_seconds = absl::ToDoubleSeconds(scheduler.now());
    outcome.settled_after_seconds = absl::ToDoubleSeconds(settled_after_);
    outcome.faults = world_.faults();
    std::snprintf(outcome.failure, sizeof(outcome.failure), "%s", world_.failure().c_str());
  }

  void PrintTail(uint64_t seed) {
    std::printf("seed %llu failed at step %llu; the last lines:\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(world_.scheduler().step_count()));
    for (const std::string& line : world_.trace().tail()) std::printf("%s\n", line.c_str());
  }

 private:
  template <typename Done>
  bool RunUntil(absl::Duration most, Done done) {
    Scheduler& scheduler = world_.scheduler();
    const absl::Duration end = scheduler.now() + most;
    for (int step = 1; world_.failure().empty() && scheduler.now() < end; ++step) {
      if (done()) return true;
      if (!scheduler.RunOne()) break;
      if (step % kStepsPerIndexCheck == 0 && world_.api().alive()) world_.oracles().CheckIndexes();
    }
    return done();
  }
  void RunFor(absl::Duration duration) {
    RunUntil(duration, [] { return false; });
  }

  // With an operator who asks for what takes one: many strays among few objects, and what failed for good.
  void Settle() {
    RunFor(kSinksAreChecked);
    const absl::Duration end = world_.scheduler().now() + kSettleWithin;
    while (world_.failure().empty()) {
      if (world_.api().alive()) {
        for (const std::string& region : world_.regions()) {
          world_.api().now().regions->Resync(region, {.allow_mass_delete = true, .retry_failed = true},
                                             [](const absl::StatusOr<int64_t>&) {});
        }
      }
      const absl::Duration next = world_.scheduler().now() + kOperatorInterval;
      while (world_.failure().empty() && world_.scheduler().now() < next) {
        RunFor(absl::Seconds(2));
        if (world_.failure().empty() && !world_.oracles().WhyNotSettled()) return;
      }
      if (world_.scheduler().now() > end)
        world_.Fail(absl::StrCat("does not settle: ", world_.oracles().WhyNotSettled().value_or("")));
    }
  }

  World world_;
  Workload workload_;
  Chaos chaos_;
  absl::Duration settled_after_;
};

}  // namespace

void Simulate(const SimulationOptions& options, Outcome& outcome) {
  SeedOperatingSystem(options.seed);
  // What it leaves behind refers to each other in circles and to threads that never were.
  Run& run = *new Run(options);
  run.Go();
  run.Report(outcome);
  if (outcome.failed && options.print_failure) run.PrintTail(options.seed);
  std::fflush(stdout);
  outcome.finished = true;
}

Outcome SimulateApart(const SimulationOptions& options) {
  std::fflush(stdout);
  void* const shared = mmap(nullptr, sizeof(Outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Outcome* const outcome = new (shared) Outcome();
  const pid_t child = fork();
  if (child == 0) {
    Simulate(options, *outcome);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  Outcome result = *outcome;
  munmap(shared, sizeof(Outcome));
  if (!result.finished) {
    result.failed = true;
    std::snprintf(result.failure, sizeof(result.failure), "the process ended, wait status %d", status);
  }
  return result;
}

}  // namespace keyferry

// simulation [--seed S [--trace]] [--first S] [--seeds N] [--bug NAME] [--min-faults]: runs seeds, each in a process of
// its own, and tells what failed and which faults came.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "libs/common/log.h"
#include "tests/simulation/simulation.h"

namespace keyferry {
namespace {

constexpr int kExitUsage = 64;
constexpr int kMaxFailuresPrinted = 5;

struct Arguments {
  SimulationOptions options;
  uint64_t first = 1;
  uint64_t count = 500;
  bool one = false;
  // Every kind of fault must have come.
  bool all_faults = false;
};

struct Totals {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t steps = 0;
  uint64_t calls = 0;
  uint64_t answers = 0;
  uint64_t commits = 0;
  uint64_t hash = 0;
  double simulated_seconds = 0;
  double longest_settling = 0;
  FaultCounts faults{};

  void Add(const Outcome& outcome) {
    ++seeds;
    failed += outcome.failed;
    steps += outcome.steps;
    calls += outcome.calls;
    answers += outcome.answers;
    commits += outcome.commits;
    hash = hash * 1099511628211U + outcome.trace_hash;
    simulated_seconds += outcome.simulated_seconds;
    longest_settling = std::max(longest_settling, outcome.settled_after_seconds);
    for (size_t i = 0; i < kFaultCount; ++i) faults[i] += outcome.faults[i];
  }
};

[[noreturn]] void Usage(const char* wrong) {
  std::printf("%s\nusage: simulation [--seed S [--trace]] [--first S] [--seeds N] [--all-faults] [--bug NAME]\nbugs:",
              wrong);
  for (size_t bug = 0; bug < static_cast<size_t>(Bug::kCount); ++bug)
    std::printf(" %s", std::string(NameOf(static_cast<Bug>(bug))).c_str());
  std::printf("\n");
  std::exit(kExitUsage);
}

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto value = [&]() -> const char* {
      return i + 1 < argc ? argv[++i] : (Usage("a value is missing"), nullptr);
    };
    if (name == "--trace") {
      arguments.options.print = true;
    } else if (name == "--all-faults") {
      arguments.all_faults = true;
    } else if (name == "--seed") {
      arguments.one = true;
      arguments.first = std::strtoull(value(), nullptr, 10);
      arguments.count = 1;
    } else if (name == "--first") {
      arguments.first = std::strtoull(value(), nullptr, 10);
    } else if (name == "--seeds") {
      arguments.count = std::strtoull(value(), nullptr, 10);
    } else if (name == "--bug") {
      const auto bug = BugOfName(value());
      if (!bug) Usage("no such bug");
      arguments.options.bug = *bug;
    } else {
      Usage(("what is " + name + "?").c_str());
    }
  }
  return arguments;
}

bool PrintFaults(const FaultCounts& faults, bool all_faults) {
  bool all = true;
  std::printf("faults:");
  for (size_t i = 0; i < kFaultCount; ++i) {
    std::printf("%s %s %lld", i == 0 ? "" : ",", std::string(NameOf(static_cast<Fault>(i))).c_str(),
                static_cast<long long>(faults[i]));
    all = all && faults[i] > 0;
  }
  std::printf("\n");
  if (!all && all_faults) std::printf("INVALID: some kind of fault never came\n");
  return all || !all_faults;
}

int Main(const Arguments& arguments) {
  SetLogLevel(Severity::kError);
  // The product's log is of no use without its time; the trace has what matters.
  if (std::getenv("KEYFERRY_SIMULATION_LOG") == nullptr) {
    const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nothing, STDERR_FILENO);
  } else {
    SetLogLevel(Severity::kDebug);
  }
  const auto begin = std::chrono::steady_clock::now();
  Totals totals;
  for (uint64_t seed = arguments.first; seed < arguments.first + arguments.count; ++seed) {
    SimulationOptions options = arguments.options;
    options.seed = seed;
    options.print_failure = arguments.one || totals.failed == 0;
    const Outcome outcome = SimulateApart(options);
    totals.Add(outcome);
    if (outcome.failed && totals.failed <= kMaxFailuresPrinted)
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), outcome.failure);
    if (arguments.one) std::printf("trace hash %016llx\n", static_cast<unsigned long long>(outcome.trace_hash));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "%llu seeds from %llu, %llu failed; %llu steps (%.0f a second), %llu calls, %llu of them answered, %llu commits, "
      "%.0f simulated seconds in %.1f s; settled within %.0f s; hash %016llx\n",
      static_cast<unsigned long long>(totals.seeds), static_cast<unsigned long long>(arguments.first),
      static_cast<unsigned long long>(totals.failed), static_cast<unsigned long long>(totals.steps),
      static_cast<double>(totals.steps) / seconds, static_cast<unsigned long long>(totals.calls),
      static_cast<unsigned long long>(totals.answers), static_cast<unsigned long long>(totals.commits),
      totals.simulated_seconds, seconds, totals.longest_settling, static_cast<unsigned long long>(totals.hash));
  const bool valid = PrintFaults(totals.faults, arguments.all_faults);
  return totals.failed == 0 && valid ? 0 : 1;
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) { return keyferry::Main(keyferry::Parse(argc, argv)); }

// One seed: a world under load and faults, then good weather until it settles, then everything is compared.
//
// Thread safety: one at a time in a process, which must have run none before: what lives as long as its thread must not
// pass from one seed to the next.
#ifndef KEYFERRY_TESTS_SIMULATION_SIMULATION_H_
#define KEYFERRY_TESTS_SIMULATION_SIMULATION_H_

#include <cstdint>

#include "tests/simulation/faults.h"

namespace keyferry {

// Plain, so that it can lie in memory that processes share.
struct Outcome {
  bool finished = false;
  bool failed = false;
  uint64_t steps = 0;
  uint64_t trace_hash = 0;
  uint64_t calls = 0;
  uint64_t answers = 0;
  uint64_t commits = 0;
  double simulated_seconds = 0;
  // From the last fault until everything was settled.
  double settled_after_seconds = 0;
  FaultCounts faults{};
  char failure[4096] = {};
};

struct SimulationOptions {
  uint64_t seed = 1;
  Bug bug = Bug::kNone;
  // Prints every line of the trace, otherwise the last ones when it fails.
  bool print = false;
  bool print_failure = true;
};

void Simulate(const SimulationOptions& options, Outcome& outcome);

// The same in a process of its own; one that crashes has failed.
Outcome SimulateApart(const SimulationOptions& options);

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_SIMULATION_H_

// Breaks things: each seed picks some kinds of faults and how often they come.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_CHAOS_H_
#define KEYFERRY_TESTS_SIMULATION_CHAOS_H_

#include <functional>
#include <optional>
#include <vector>

#include "tests/simulation/workload.h"
#include "tests/simulation/world.h"

namespace keyferry {

class Chaos {
 public:
  Chaos(World& world, Workload& workload);

  void Begin();
  // Nothing new breaks, and what was broken works again: blocked links, bad weather, paused processes. What is down
  // comes back by itself.
  void End();

 private:
  void Later();
  void BreakApi(uint64_t dice);
  void BreakProvisioner(uint64_t dice);
  void BreakLink(uint64_t dice);
  void Operate(uint64_t dice);
  void Restore();
  ProvisionerNode& AnyProvisioner();
  std::string AnyRegion();
  absl::Duration AWhile(absl::Duration most);

  World& world_;
  Workload& workload_;
  std::vector<void (Chaos::*)(uint64_t)> kinds_;
  absl::Duration max_calm_;
  bool ended_ = false;
  // A copy of the API's disk, some time ago.
  std::optional<SimDisk> backup_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_CHAOS_H_

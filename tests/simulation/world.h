// The whole system in one thread: an API, provisioners and standbys of two regions, the network, and what is watched
// while they run.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_WORLD_H_
#define KEYFERRY_TESTS_SIMULATION_WORLD_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/api_node.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/history.h"
#include "tests/simulation/provisioner_node.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_network.h"

namespace keyferry {

class Oracles;

// In every value, so that a scan finds one that got away.
inline constexpr char kSentinel[] = "SENTINEL";
inline constexpr int kSetCount = 3;
inline constexpr int kAgentsPerSet = 2;

// Sets and agents of the workload; a set stays in its region, an agent with its set.
std::string SetName(int set);
std::string AgentName(int set, int agent);
std::string RegionOfSet(int set);
// Of a set or an agent.
std::string RegionOf(const ObjectId& object);
ObjectId SetObject(const std::string& set);
ObjectId AgentObject(const std::string& agent);
std::vector<ObjectId> AllObjects();

class World {
 public:
  World(uint64_t seed, Bug bug, bool print);
  ~World();

  Scheduler& scheduler() { return scheduler_; }
  Random& random() { return scheduler_.random(); }
  Trace& trace() { return scheduler_.trace(); }
  FaultCounts& faults() { return faults_; }
  void Count(Fault fault) { ++faults_[static_cast<size_t>(fault)]; }
  ApiNode& api() { return *api_; }
  SimNetwork& network() { return *network_; }
  std::vector<std::unique_ptr<ProvisionerNode>>& provisioners() { return provisioners_; }
  const std::vector<std::string>& regions() const { return regions_; }
  Oracles& oracles() { return *oracles_; }

  // Ends it and starts it again after a while.
  void EndApi(double kept_share, bool silently);
  void EndProvisioner(ProvisionerNode& node, bool power);
  // The API's store becomes this one, in a lineage above all.
  void Restore(const SimDisk& backup);
  // A new key of the region, as its owner announces it.
  void ChangeSealingKey(const std::string& region);

  // By any key that the region ever had.
  Contents Open(const std::string& region, const ObjectId& id, const std::string& uid,
                const std::string& sealed_object) const;
  // As the API's store has it now.
  SetState StateOf(int set);

  // The first counts.
  void Fail(const std::string& why);
  const std::string& failure() const { return failure_; }

 private:
  void StartApiLater();
  void CreateRegions();
  RegionKeySet KeysOf(const std::string& region, size_t count) const;

  Scheduler scheduler_;
  FaultCounts faults_{};
  std::string failure_;
  const std::vector<std::string> regions_ = {"us-west", "us-east"};
  // The newest first.
  std::map<std::string, std::vector<RegionKey>> private_keys_;
  std::map<std::string, std::unique_ptr<RegionKeys>> keyrings_;
  std::unique_ptr<Oracles> oracles_;
  std::unique_ptr<ApiNode> api_;
  std::unique_ptr<SimNetwork> network_;
  std::vector<std::unique_ptr<ProvisionerNode>> provisioners_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_WORLD_H_

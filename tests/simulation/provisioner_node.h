// A provisioner's machine: its disk, its sink, its keys, and one life after another of its process, put together as
// services/provisioner/serve.cc does it.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_PROVISIONER_NODE_H_
#define KEYFERRY_TESTS_SIMULATION_PROVISIONER_NODE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/provisioner/reconciler.h"
#include "services/provisioner/region_keys.h"
#include "services/provisioner/sync_client.h"
#include "services/provisioner/testing/memory_sink.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_network.h"
#include "tests/simulation/sim_region_store.h"

namespace keyferry {

// Shows objects in memory, unless the weather is bad.
class SimSink final : public Sink {
 public:
  SimSink(const Scheduler& scheduler, FaultCounts& faults) : scheduler_(scheduler), faults_(faults) {}
  std::string_view name() const override { return shown_.name(); }
  absl::Status Apply(const OpenedObject& object) override;
  absl::Status Remove(const ObjectId& id) override;
  absl::Status Verify(const OpenedObject& object) override { return shown_.Verify(object); }
  absl::StatusOr<std::vector<ObjectId>> List() override { return shown_.List(); }

  std::map<ObjectId, MemorySink::Shown>& objects() { return shown_.objects; }
  absl::Duration full_until;
  absl::Duration failing_until;

 private:
  absl::Status Weather();

  const Scheduler& scheduler_;
  FaultCounts& faults_;
  MemorySink shown_;
};

struct ProvisionerProcess {
  ProvisionerProcess(Scheduler& scheduler, const std::string& name, const absl::Duration& wall_error)
      : process(scheduler, name, wall_error) {}
  Process process;
  std::unique_ptr<SimRegionStore> store;
  std::unique_ptr<Reconciler> reconciler;
  std::unique_ptr<SyncClient> client;
};

class ProvisionerNode {
 public:
  struct Options {
    Scheduler& scheduler;
    FaultCounts& faults;
    SimNetwork& network;
    std::string region;
    std::string id;
    Bug bug = Bug::kNone;
    std::function<void(ProvisionerNode&, const std::vector<ObjectId>&)> on_change;
    // The process ended by itself.
    std::function<void(ProvisionerNode&)> on_end;
  };
  ProvisionerNode(Options options, RegionKeys& keys);

  void Start();
  // With its power it loses what its sink showed, which was in memory.
  void End(bool power);
  bool alive() const { return now_ != nullptr && now_->process.alive(); }
  ProvisionerProcess& now() { return *now_; }

  const std::string& region() const { return options_.region; }
  const std::string& name() const { return link_.name; }
  // Whether or not its process runs.
  std::vector<RegionObject> Objects() const;
  std::optional<RegionObject> Held(const ObjectId& id) const;
  RegionMeta Meta() const;

  RegionDisk& disk() { return disk_; }
  SimSink& sink() { return sink_; }
  Link& link() { return link_; }
  absl::Duration& wall_error() { return wall_error_; }
  // Its process ends in its store's next commit.
  bool end_before_commit = false;
  bool end_after_commit = false;

 private:
  void EndHere(bool& armed, Fault fault);

  const Options options_;
  RegionKeys& keys_;
  RegionDisk disk_;
  SimSink sink_;
  Link link_;
  absl::Duration wall_error_;
  std::unique_ptr<ProvisionerProcess> now_;
  std::vector<std::unique_ptr<ProvisionerProcess>> past_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_PROVISIONER_NODE_H_

// The API's machine: its disk, and one life after another of its process, put together as services/api/serve.cc does
// it, without gRPC and without threads.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_API_NODE_H_
#define KEYFERRY_TESTS_SIMULATION_API_NODE_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/crypto/root_keys.h"
#include "libs/crypto/signature.h"
#include "libs/storage/barrier.h"
#include "services/api/audit_chainer.h"
#include "services/api/deployments.h"
#include "services/api/key_rotation.h"
#include "services/api/quotas.h"
#include "services/api/region_directory.h"
#include "services/api/region_reseal.h"
#include "services/api/regions.h"
#include "services/api/secret_sets.h"
#include "services/api/writer_term.h"
#include "tests/simulation/blocking_executor.h"
#include "tests/simulation/sim_store.h"

namespace keyferry {

inline constexpr char kOrganization[] = "acme";

// One life.
struct ApiProcess {
  ApiProcess(Scheduler& scheduler, const absl::Duration& wall_error) : process(scheduler, "api", wall_error) {}

  Process process;
  std::unique_ptr<SimStore> store;
  std::unique_ptr<BlockingExecutor> blocking;
  std::unique_ptr<WriterTerm> term;
  std::unique_ptr<Barrier> barrier;
  std::unique_ptr<RegionDirectory> directory;
  std::unique_ptr<SealedBoxSender> sender;
  std::unique_ptr<Quotas> quotas;
  std::unique_ptr<UseCaseDeps> deps;
  std::unique_ptr<SecretSets> sets;
  std::unique_ptr<Deployments> deployments;
  std::unique_ptr<Regions> regions;
  std::unique_ptr<KeyRotation> rotation;
  std::unique_ptr<RegionReseal> reseal;
  std::unique_ptr<AuditChainer> chainer;
  RowKey request_sweep{Family::kRequests, ""};
};

class ApiNode {
 public:
  struct Options {
    Scheduler& scheduler;
    FaultCounts& faults;
    Bug bug = Bug::kNone;
    std::function<void(const std::vector<RowKey>& written, Revision revision)> on_commit;
    // The process ended by itself.
    std::function<void()> on_end;
    // It takes itself for an older store, restored.
    std::function<void()> on_rewind;
  };
  explicit ApiNode(Options options);

  // REQUIRES: none runs. After a restore in the next lineage.
  void Start(Lineage lineage = Lineage::kKeep);
  // What was written and not synced survives in this share.
  void End(double kept_share);
  bool alive() const { return now_ != nullptr && now_->process.alive(); }
  // The newest life, which may be over. REQUIRES: one was started.
  ApiProcess& now() { return *now_; }
  Process* process() { return now_ ? &now_->process : nullptr; }

  // As an operator's call, once the process serves; a region with this key.
  void Commit(TransactionPlan plan);
  void Drain();

  SimDisk& disk() { return disk_; }
  DiskWeather& weather() { return weather_; }
  absl::Duration& wall_error() { return wall_error_; }

 private:
  void Open(Lineage lineage);
  void CreateOrganization();
  void ChainLater();
  void SweepLater();

  const Options options_;
  SimDisk disk_;
  DiskWeather weather_;
  absl::Duration wall_error_;
  std::unique_ptr<RootKeys> root_keys_;
  std::shared_ptr<const SigningKey> signing_key_;
  std::unique_ptr<ApiProcess> now_;
  // Work that never runs refers to them.
  std::vector<std::unique_ptr<ApiProcess>> past_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_API_NODE_H_

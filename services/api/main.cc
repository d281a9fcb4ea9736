// keyferry-api: the only writer of the store. This file is the whole product, by hand: what there is, and who may use
// whom. Exit codes: 0 stopped as told; 70 the store; 78 configuration, keyring, certificates, addresses.
#include <grpcpp/impl/service_type.h>

#include <cstdio>

#include "keyferry/v1/deployments.grpc.pb.h"
#include "keyferry/v1/organizations.grpc.pb.h"
#include "keyferry/v1/provisioning.grpc.pb.h"
#include "keyferry/v1/regions.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/common/log.h"
#include "libs/common/process_hygiene.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/grpc_log.h"
#include "libs/storage/rocksdb_store.h"
#include "services/api/access_policy.h"
#include "services/api/api_options.h"
#include "services/api/closable_executor.h"
#include "services/api/deployment_service.h"
#include "services/api/housekeeping.h"
#include "services/api/organization_service.h"
#include "services/api/provisioning_service.h"
#include "libs/common/ready_file.h"
#include "services/api/region_directory.h"
#include "services/api/region_service.h"
#include "services/api/secret_set_service.h"
#include "libs/common/stop_signal.h"
#include "services/api/writer_term.h"

namespace keyferry {
namespace {

constexpr int kExitStore = 70;
constexpr int kExitConfiguration = 78;
constexpr absl::Duration kMaxReconnectAfter = absl::Seconds(5);
constexpr absl::Duration kDrainPatience = absl::Seconds(6);
constexpr absl::Duration kShutdownPatience = absl::Seconds(5);

int Fail(const absl::Status& status, int exit_code) {
  const absl::string_view message = status.message();
  std::fprintf(stderr, "keyferry-api: %.*s\n", static_cast<int>(message.size()), message.data());
  return exit_code;
}

// A keyring that is not this store's is configuration; all else is the store.
int BarrierExitCode(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) ? kExitConfiguration : kExitStore;
}

std::vector<std::string> ServedServices() {
  return {v1::SecretSets::service_full_name(), v1::Deployments::service_full_name(),
          v1::Organizations::service_full_name(), v1::Regions::service_full_name(),
          v1::Provisioning::service_full_name()};
}

int Serve(const ApiOptions& options) {
  const Clock& clock = SystemClock();
  ReadyFile ready(options.ready_file);
  const auto keyring = Keyring::Load(options.keyring, options.data_directory);
  if (!keyring.ok()) return Fail(keyring.status(), kExitConfiguration);
  auto doors = DoorsOf(options);
  if (!doors.ok()) return Fail(doors.status(), kExitConfiguration);
  const auto peers = PeerIdentities::Create(options.trust_domain);
  if (!peers.ok()) return Fail(peers.status(), kExitConfiguration);
  if (const absl::Status table = CheckAccessTable(ServedServices()); !table.ok()) return Fail(table, kExitStore);

  // Outlives the store, whose last commits are answered while it closes.
  ClosableExecutor executor(options.worker_thread_count);
  const auto store = OpenRocksDbStore({.path = options.data_directory});
  if (!store.ok()) return Fail(store.status(), kExitStore);
  const auto term = WriterTerm::Acquire(**store);
  if (!term.ok()) return Fail(term.status(), kExitStore);
  const auto barrier = Barrier::Open(**store, *keyring, (*term)->Get());
  if (!barrier.ok()) return Fail(barrier.status(), BarrierExitCode(barrier.status()));

  const Writer writer{(*barrier)->store(), executor, [&term] { return (*term)->Get(); }};
  RegionDirectory directory({.writer = writer, .clock = clock, .on_rewind = [&term] { (*term)->BeginNextLineage(); }});
  const auto sender = SealedBoxSender::Create(clock);
  const UseCaseDeps deps{
      .writer = writer,
      .barrier = **barrier,
      .sender = *sender,
      .clock = clock,
      .region_connected = [&directory](const std::string& region) { return !directory.Provisioners(region).empty(); }};
  const auto api_keys = ApiKeys::Create(writer, *keyring, clock);
  const auto organizations = Organizations::Create(deps);
  const auto regions = Regions::Create(writer, clock, directory);
  const auto guard = NewGuard({.peers = **peers, .api_keys = *api_keys, .executor = executor, .clock = clock});

  const std::unique_ptr<grpc::Service> services[] = {
      NewSecretSetsService(*guard, deps), NewDeploymentsService(*guard, deps),
      NewOrganizationsService(*guard, *organizations, *api_keys), NewRegionsService(*guard, *regions),
      NewProvisioningService(*guard, directory)};
  std::vector<grpc::Service*> served;
  for (const auto& service : services) served.push_back(service.get());
  const auto pulse = CallbackPulse::Start();
  const auto server = RpcServer::Start(served, *std::move(doors));
  if (!server.ok()) return Fail(server.status(), kExitConfiguration);
  KeepSweepingRequests(writer, clock);

  const std::vector<std::string> addresses = (*server)->addresses();
  const std::string edge = addresses.size() > 1 ? addresses[1] : "";
  if (const absl::Status written = ready.Write({{"inner", addresses[0]}, {"edge", edge}}); !written.ok())
    return Fail(written, kExitConfiguration);
  Log(Severity::kInfo, "serving", {{"inner", addresses[0]}, {"edge", edge}});

  const int signal = AwaitStopSignal();
  Log(Severity::kInfo, "draining", {{"signal", signal}});
  (*server)->SetServing(false);
  directory.DrainAll(kMaxReconnectAfter);
  directory.AwaitEmpty(kDrainPatience);
  (*server)->Shutdown(kShutdownPatience);
  executor.Close();
  Log(Severity::kInfo, "stopped");
  return 0;
}

int Main(int argc, char** argv) {
  BlockStopSignals();
  HardenProcess();
  SetLogProcess("keyferry-api");
  RedirectGrpcLog();
  const auto options = ParseCommandLine(argc, argv);
  if (!options.ok()) return Fail(options.status(), kExitConfiguration);
  if (const absl::Status level = SetLogLevel(options->log_level); !level.ok()) return Fail(level, kExitConfiguration);
  if (options->new_keyring.empty()) return Serve(*options);
  const absl::Status created = Keyring::Create(options->new_keyring, {KeyPurpose::kRoot, KeyPurpose::kPepper});
  return created.ok() ? 0 : Fail(created, kExitConfiguration);
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) { return keyferry::Main(argc, argv); }

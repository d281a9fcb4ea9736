#include "services/provisioner/serve.h"

#include <grpcpp/security/server_credentials.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "libs/common/log.h"
#include "libs/common/ready_file.h"
#include "libs/common/status_macros.h"
#include "libs/common/stop_signal.h"
#include "libs/metrics/metrics_endpoint.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/server.h"
#include "services/provisioner/api_channels.h"
#include "services/provisioner/environments_service.h"
#include "services/provisioner/file_sink.h"
#include "services/provisioner/housekeeping.h"
#include "services/provisioner/provisioner_metrics.h"
#include "services/provisioner/sync_client.h"

namespace keyferry {
namespace {

constexpr int kThreads = 4;
constexpr absl::Duration kShutdownPatience = absl::Seconds(5);

// Opens the identity, enrolls if need be, and takes over from it who we are.
absl::StatusOr<std::optional<IdentityDirectory>> OpenIdentity(Settings& settings, const RegionKeySet& keys) {
  if (settings.identity_directory.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(IdentityDirectory directory,
                   IdentityDirectory::Open(settings.identity_directory, settings.tls.roots));
  ASSIGN_OR_RETURN(const Identity identity, IdentityAtStart(directory, settings.enrollment, keys, SystemClock()));
  if (!settings.region.empty() && settings.region != identity.region) {
    return absl::FailedPreconditionError(absl::StrCat(directory.path(), ": is an identity of region ", identity.region,
                                                      ", not of --region ", settings.region));
  }
  settings.region = identity.region;
  settings.provisioner_id = identity.provisioner_id;
  return directory;
}

void ReloadKeys(const Settings& settings, RegionKeys& keys) {
  auto loaded = RegionKeySet::Load(settings.keyring, settings.data_directory);
  if (!loaded.ok()) return Log(Severity::kError, "keyring_not_reloaded", {{"error", loaded.status()}});
  Log(Severity::kInfo, "keyring_reloaded", {{"region_keys", loaded->ids().size()}});
  keys.Replace(*std::move(loaded));
}

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> StartMetrics(const std::string& address) {
  if (address.empty()) return nullptr;
  return MetricsEndpoint::Start(address);
}

}  // namespace

absl::Status Serve(Settings settings) {
  ReadyFile ready(settings.ready_file);
  RETURN_IF_ERROR(SetLogLevel(settings.log_level));
  ASSIGN_OR_RETURN(RegionKeySet key_set, RegionKeySet::Load(settings.keyring, settings.data_directory));
  RegionKeys keys(std::move(key_set));
  ASSIGN_OR_RETURN(const auto identity, OpenIdentity(settings, *keys.Get()));
  ASSIGN_OR_RETURN(const auto channels, ApiChannels::Create(settings.api, settings.tls, identity));
  ASSIGN_OR_RETURN(const auto store, RegionStore::Open(settings.data_directory, settings.region));
  std::unique_ptr<Sink> files;
  std::vector<Sink*> sinks;
  if (!settings.files_directory.empty()) {
    ASSIGN_OR_RETURN(files, NewFileSink({.root = settings.files_directory, .allow_disk = settings.allow_disk_files}));
    sinks.push_back(files.get());
  }
  const auto executor = NewThreadPool(kThreads);
  const auto environments = EnvironmentsService::Create(*store, keys, *executor);
  Reconciler reconciler({.store = *store, .keys = keys, .sinks = sinks, .on_change = [&](const ObjectId& id) {
                           environments->Changed(id);
                         }});
  const auto pulse = CallbackPulse::Start();
  std::vector<Door> doors;
  doors.push_back({.listener = settings.agent_listener, .credentials = grpc::InsecureServerCredentials()});
  ASSIGN_OR_RETURN(const auto server, RpcServer::Start({&environments->service()}, std::move(doors)));
  ASSIGN_OR_RETURN(const auto metrics, StartMetrics(settings.metrics_address));
  RETURN_IF_ERROR(ready.Write({{"agent_socket", settings.agent_socket}, {"metrics", metrics == nullptr ? "" : metrics->address()}}));
  ASSIGN_OR_RETURN(const auto not_shown, reconciler.FillSinks());

  Housekeeping housekeeping(identity, keys, *channels);
  const auto gauges = ShowProvisioner({.object_count = [&store = *store] { return static_cast<int64_t>(store.object_count()); },
                                       .certificate_expiry = [&] { return housekeeping.CertificateExpiry(); }});
  const auto client = SyncClient::Start(
      {.region = settings.region,
       .provisioner_id = settings.provisioner_id,
       .sealing_key_ids = [&] { return keys.Get()->ids(); },
       .version = KEYFERRY_VERSION,
       .new_channel = [&] { return channels->New(); },
       .store = *store,
       .reconciler = reconciler,
       .executor = *executor,
       .drifted = not_shown,
       .on_owned =
           [&](std::optional<std::string> sealing_key_id) { housekeeping.SetOwned(std::move(sealing_key_id)); }});
  Log(Severity::kInfo, "serving", {{"region", settings.region}, {"objects", store->object_count()}});
  int signal = AwaitSignal(StopSignalsAndHangUp());
  for (; signal == SIGHUP; signal = AwaitSignal(StopSignalsAndHangUp())) {
    ReloadKeys(settings, keys);
    housekeeping.KeysChanged();
  }
  Log(Severity::kInfo, "stopping", {{"signal", signal}});
  client->Stop(kShutdownPatience);
  server->Shutdown(kShutdownPatience);
  return absl::OkStatus();
}

}  // namespace keyferry

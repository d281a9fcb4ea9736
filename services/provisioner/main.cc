// keyferry-provisioner: one region's end of Keyferry. Builds the object graph and waits for SIGTERM.
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/security/server_credentials.h>
#include <sys/stat.h>

#include <cstdio>
#include <iostream>

#include "absl/strings/escaping.h"
#include "libs/common/log.h"
#include "libs/common/process_hygiene.h"
#include "libs/common/ready_file.h"
#include "libs/common/status_macros.h"
#include "libs/common/stop_signal.h"
#include "libs/crypto/keyring.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/server.h"
#include "services/provisioner/command_line.h"
#include "services/provisioner/environments_service.h"
#include "services/provisioner/file_sink.h"
#include "services/provisioner/sync_client.h"

namespace keyferry {
namespace {

constexpr int kExitConfiguration = 78;  // EX_CONFIG
constexpr int kThreads = 4;
constexpr absl::Duration kShutdownPatience = absl::Seconds(5);

absl::StatusOr<RegionKey> LoadRegionKey(const std::string& path, const std::string& data_directory) {
  ASSIGN_OR_RETURN(const Keyring keyring, Keyring::Load(path, data_directory));
  ASSIGN_OR_RETURN(const Keyring::Key key, keyring.Current(KeyPurpose::kRegion));
  return RegionKey::FromPrivate(key.bytes->Clone());
}

absl::Status RunSubcommand(const std::vector<std::string>& words) {
  if (words.size() != 2 || (words[0] != "init-keyring" && words[0] != "public-key")) {
    return absl::InvalidArgumentError("usage: keyferry-provisioner [flags] | init-keyring PATH | public-key PATH");
  }
  if (words[0] == "init-keyring") RETURN_IF_ERROR(Keyring::Create(words[1], {KeyPurpose::kRegion}));
  ASSIGN_OR_RETURN(const RegionKey key, LoadRegionKey(words[1], ""));
  std::cout << absl::Base64Escape(key.public_key()) << std::endl;
  return absl::OkStatus();
}

absl::Status Serve(const Settings& settings) {
  ReadyFile ready(settings.ready_file);
  RETURN_IF_ERROR(SetLogLevel(settings.log_level));
  ASSIGN_OR_RETURN(const RegionKey key, LoadRegionKey(settings.keyring, settings.data_directory));
  ASSIGN_OR_RETURN(const auto credentials, TlsChannelCredentials(settings.tls));
  ASSIGN_OR_RETURN(const auto store, RegionStore::Open(settings.data_directory, settings.region));
  std::unique_ptr<Sink> files;
  std::vector<Sink*> sinks;
  if (!settings.files_directory.empty()) {
    ASSIGN_OR_RETURN(files, NewFileSink({.root = settings.files_directory, .allow_disk = settings.allow_disk_files}));
    sinks.push_back(files.get());
  }
  const auto executor = NewThreadPool(kThreads);
  const auto environments = EnvironmentsService::Create(*store, key, *executor);
  Reconciler reconciler({.store = *store, .key = key, .sinks = sinks, .on_change = [&](const ObjectId& id) {
                           environments->Changed(id);
                         }});
  const auto pulse = CallbackPulse::Start();
  std::vector<Door> doors;
  doors.push_back({.listener = settings.agent_listener, .credentials = grpc::InsecureServerCredentials()});
  ASSIGN_OR_RETURN(const auto server, RpcServer::Start({&environments->service()}, std::move(doors)));
  RETURN_IF_ERROR(ready.Write({{"agent_socket", settings.agent_socket}}));
  ASSIGN_OR_RETURN(const auto not_shown, reconciler.FillSinks());
  const auto client = SyncClient::Start({.region = settings.region,
                                         .provisioner_id = settings.provisioner_id,
                                         .sealing_key_id = key.id(),
                                         .version = KEYFERRY_VERSION,
                                         .new_channel = [&] { return NewChannel(settings.api, credentials); },
                                         .store = *store,
                                         .reconciler = reconciler,
                                         .executor = *executor,
                                         .drifted = not_shown});
  Log(Severity::kInfo, "serving", {{"region", settings.region}, {"objects", store->object_count()}});
  const int signal = AwaitStopSignal();
  Log(Severity::kInfo, "stopping", {{"signal", signal}});
  client->Stop(kShutdownPatience);
  server->Shutdown(kShutdownPatience);
  return absl::OkStatus();
}

absl::Status Run(const std::vector<std::string>& words) {
  if (!words.empty()) return RunSubcommand(words);
  ASSIGN_OR_RETURN(const Settings settings, SettingsFromFlags());
  return Serve(settings);
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) {
  keyferry::HardenProcess();
  umask(0077);
  // It writes lines of its own form about hostile bytes.
  google::protobuf::SetLogHandler(nullptr);
  keyferry::SetLogProcess("keyferry-provisioner");
  const std::vector<std::string> words = keyferry::ParseCommandLine(argc, argv);
  // Before any thread starts.
  keyferry::BlockStopSignals();
  const absl::Status status = keyferry::Run(words);
  if (status.ok()) return 0;
  keyferry::Log(keyferry::Severity::kError, "cannot_run", {{"error", status}});
  return absl::IsUnavailable(status) ? 1 : keyferry::kExitConfiguration;
}

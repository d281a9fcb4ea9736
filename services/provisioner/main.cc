// keyferry-provisioner: one region's end of Keyferry. Builds the object graph and waits for SIGTERM.
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/security/server_credentials.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/common/log.h"
#include "libs/common/process_hygiene.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/keyring.h"
#include "libs/model/names.h"
#include "libs/rpc/callback_pulse.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/server.h"
#include "services/provisioner/environments_service.h"
#include "services/provisioner/file_sink.h"
#include "services/provisioner/sync_client.h"

ABSL_FLAG(std::string, api, "", "host:port of the API's inner door");
ABSL_FLAG(std::string, region, "", "code of the region that this provisioner serves");
ABSL_FLAG(std::string, id, "", "name of this provisioner, stable over restarts; as in its certificate");
ABSL_FLAG(std::string, data_dir, "", "directory of the region's store");
ABSL_FLAG(std::string, keyring, "", "file with the region's private key; see init-keyring");
ABSL_FLAG(std::string, cert, "", "certificate chain (PEM) of this provisioner");
ABSL_FLAG(std::string, key, "", "private key (PEM) of the certificate");
ABSL_FLAG(std::string, ca, "", "trust roots (PEM) of the API");
ABSL_FLAG(std::string, files_dir, "", "directory on tmpfs for values as files; empty: none");
ABSL_FLAG(bool, allow_disk_files, false, "let --files-dir be on a disk");
ABSL_FLAG(std::string, agent_socket, "", "path of the unix socket for agent hosts");
ABSL_FLAG(std::string, agent_socket_mode, "0600", "mode of the socket, octal");
ABSL_FLAG(std::string, agent_users, "", "numeric ids of the users that may connect to it, by comma; empty: whoever the mode lets");
ABSL_FLAG(std::string, log_level, "info", "debug, info, warning or error");
ABSL_FLAG(std::string, ready_file, "", "JSON file that is written once the agent socket serves");

namespace keyferry {
namespace {

constexpr int kExitConfiguration = 78;  // EX_CONFIG
constexpr int kThreads = 4;
constexpr absl::Duration kShutdownPatience = absl::Seconds(5);

// Flags are written with hyphens everywhere; absl knows them with underscores.
void AcceptHyphens(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (!argument.starts_with("--")) continue;
    for (char* c = argv[i] + 2; *c != '\0' && *c != '='; ++c) {
      if (*c == '-') *c = '_';
    }
  }
}

absl::StatusOr<RegionKey> LoadRegionKey(const std::string& path, const std::string& data_directory) {
  ASSIGN_OR_RETURN(const Keyring keyring, Keyring::Load(path, data_directory));
  ASSIGN_OR_RETURN(const Keyring::Key key, keyring.Current(KeyPurpose::kRegion));
  return RegionKey::FromPrivate(key.bytes->Clone());
}

absl::Status PrintPublicKey(const std::string& path) {
  ASSIGN_OR_RETURN(const RegionKey key, LoadRegionKey(path, ""));
  std::cout << absl::Base64Escape(key.public_key()) << std::endl;
  return absl::OkStatus();
}

absl::Status RunSubcommand(const std::vector<char*>& words) {
  const std::string command = words[1];
  if (words.size() != 3 || (command != "init-keyring" && command != "public-key")) {
    return absl::InvalidArgumentError("usage: keyferry-provisioner [flags] | init-keyring PATH | public-key PATH");
  }
  if (command == "init-keyring") RETURN_IF_ERROR(Keyring::Create(words[2], {KeyPurpose::kRegion}));
  return PrintPublicKey(words[2]);
}

absl::Status CheckFlags() {
  std::vector<FieldViolation> violations;
  for (const auto* flag : {&FLAGS_api, &FLAGS_region, &FLAGS_id, &FLAGS_data_dir, &FLAGS_keyring, &FLAGS_cert, &FLAGS_key, &FLAGS_ca,
                           &FLAGS_agent_socket}) {
    if (absl::GetFlag(*flag).empty()) violations.push_back({absl::StrCat("--", flag->Name()), "is required"});
  }
  if (!violations.empty()) return InvalidFields("INVALID_FLAGS", std::move(violations));
  for (auto bad : {CheckRegionCode("--region", absl::GetFlag(FLAGS_region)), CheckRegionCode("--id", absl::GetFlag(FLAGS_id))}) {
    if (bad) violations.push_back(*std::move(bad));
  }
  return violations.empty() ? absl::OkStatus() : InvalidFields("INVALID_FLAGS", std::move(violations));
}

absl::StatusOr<ListenerOptions> AgentListener() {
  ListenerOptions listener{.address = "unix:" + absl::GetFlag(FLAGS_agent_socket)};
  unsigned mode = 0;
  if (sscanf(absl::GetFlag(FLAGS_agent_socket_mode).c_str(), "%o", &mode) != 1 || mode > 0777) {
    return absl::InvalidArgumentError("--agent_socket_mode must be an octal mode such as 0660");
  }
  listener.file_mode = mode;
  for (const absl::string_view text : absl::StrSplit(absl::GetFlag(FLAGS_agent_users), ',', absl::SkipEmpty())) {
    uint32_t user = 0;
    if (!absl::SimpleAtoi(text, &user)) return absl::InvalidArgumentError("--agent_users must be numeric user ids, by comma");
    if (!listener.allowed_users) listener.allowed_users.emplace();
    listener.allowed_users->push_back(user);
  }
  return listener;
}

absl::Status WriteReadyFile(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  const std::string draft = path + ".new";
  std::ofstream(draft) << "{\"agent_socket\":\"" << absl::CEscape(absl::GetFlag(FLAGS_agent_socket)) << "\"}\n";
  if (std::rename(draft.c_str(), path.c_str()) != 0) return absl::UnavailableError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

void WaitForSignal(const sigset_t& signals) {
  int number = 0;
  while (sigwait(&signals, &number) != 0) {
  }
  Log(Severity::kInfo, "stopping", {{"signal", number}});
}

absl::Status Serve(const sigset_t& signals) {
  RETURN_IF_ERROR(SetLogLevel(absl::GetFlag(FLAGS_log_level)));
  RETURN_IF_ERROR(CheckFlags());
  ASSIGN_OR_RETURN(ListenerOptions listener, AgentListener());
  const std::string data_dir = absl::GetFlag(FLAGS_data_dir);
  const std::string region = absl::GetFlag(FLAGS_region);
  ASSIGN_OR_RETURN(const RegionKey key, LoadRegionKey(absl::GetFlag(FLAGS_keyring), data_dir));
  ASSIGN_OR_RETURN(const auto credentials, TlsChannelCredentials({.certificate_chain = absl::GetFlag(FLAGS_cert),
                                                                  .private_key = absl::GetFlag(FLAGS_key),
                                                                  .roots = absl::GetFlag(FLAGS_ca)}));
  ASSIGN_OR_RETURN(const auto store, RegionStore::Open(data_dir, region));
  std::unique_ptr<Sink> files;
  std::vector<Sink*> sinks;
  if (const std::string root = absl::GetFlag(FLAGS_files_dir); !root.empty()) {
    ASSIGN_OR_RETURN(files, NewFileSink({.root = root, .allow_disk = absl::GetFlag(FLAGS_allow_disk_files)}));
    sinks.push_back(files.get());
  }
  const auto executor = NewThreadPool(kThreads);
  const auto environments = EnvironmentsService::Create(*store, key, *executor);
  Reconciler reconciler({.store = *store, .key = key, .sinks = sinks, .on_change = [&](const ObjectId& id) { environments->Changed(id); }});
  const auto pulse = CallbackPulse::Start();
  std::vector<Door> doors;
  doors.push_back({.listener = std::move(listener), .credentials = grpc::InsecureServerCredentials()});
  ASSIGN_OR_RETURN(const auto server, RpcServer::Start({&environments->service()}, std::move(doors)));
  RETURN_IF_ERROR(WriteReadyFile(absl::GetFlag(FLAGS_ready_file)));
  ASSIGN_OR_RETURN(const auto not_shown, reconciler.FillSinks());
  const auto client = SyncClient::Start({.region = region,
                                         .provisioner_id = absl::GetFlag(FLAGS_id),
                                         .sealing_key_id = key.id(),
                                         .version = KEYFERRY_VERSION,
                                         .new_channel = [&] { return NewChannel(absl::GetFlag(FLAGS_api), credentials); },
                                         .store = *store,
                                         .reconciler = reconciler,
                                         .executor = *executor,
                                         .drifted = not_shown});
  Log(Severity::kInfo, "serving", {{"region", region}, {"objects", store->object_count()}});
  WaitForSignal(signals);
  client->Stop(kShutdownPatience);
  server->Shutdown(kShutdownPatience);
  return absl::OkStatus();
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) {
  keyferry::HardenProcess();
  umask(0077);
  // Writes lines of its own form about hostile bytes.
  google::protobuf::SetLogHandler(nullptr);
  keyferry::SetLogProcess("keyferry-provisioner");
  absl::SetProgramUsageMessage("serves one region; or: init-keyring PATH, public-key PATH");
  keyferry::AcceptHyphens(argc, argv);
  const std::vector<char*> words = absl::ParseCommandLine(argc, argv);
  // Blocked before any thread starts, so that only WaitForSignal gets them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const absl::Status status = words.size() > 1 ? keyferry::RunSubcommand(words) : keyferry::Serve(signals);
  if (status.ok()) return 0;
  keyferry::Log(keyferry::Severity::kError, "cannot_run", {{"error", status}});
  return absl::IsUnavailable(status) ? 1 : keyferry::kExitConfiguration;
}

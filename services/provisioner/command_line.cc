#include "services/provisioner/command_line.h"

#include <cstdio>
#include <string_view>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/common/error.h"
#include "libs/common/flags.h"
#include "libs/model/names.h"

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
ABSL_FLAG(std::string, agent_users, "",
          "numeric ids of the users that may connect to it, by comma; empty: whoever the mode lets");
ABSL_FLAG(std::string, log_level, "info", "debug, info, warning or error");
ABSL_FLAG(std::string, ready_file, "", "JSON file that is written once the agent socket serves");

namespace keyferry {
namespace {

void CheckPresent(std::string_view name, const std::string& value, std::vector<FieldViolation>& violations) {
  if (value.empty()) violations.push_back({std::string(name), "is required"});
}

void ParseMode(const std::string& text, ListenerOptions& listener, std::vector<FieldViolation>& violations) {
  unsigned mode = 0;
  char excess = 0;
  if (sscanf(text.c_str(), "%o%c", &mode, &excess) != 1 || mode > 0777) {
    violations.push_back({"--agent-socket-mode", "must be an octal mode such as 0660"});
  }
  listener.file_mode = mode;
}

void ParseUsers(const std::string& text, ListenerOptions& listener, std::vector<FieldViolation>& violations) {
  for (const absl::string_view word : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    uint32_t user = 0;
    if (!absl::SimpleAtoi(word, &user)) violations.push_back({"--agent-users", "must be numeric user ids, by comma"});
    if (!listener.allowed_users) listener.allowed_users.emplace();
    listener.allowed_users->push_back(user);
  }
}

std::vector<FieldViolation> Check(const Settings& settings) {
  std::vector<FieldViolation> violations;
  CheckPresent("--api", settings.api, violations);
  CheckPresent("--data-dir", settings.data_directory, violations);
  CheckPresent("--keyring", settings.keyring, violations);
  CheckPresent("--cert", settings.tls.certificate_chain, violations);
  CheckPresent("--key", settings.tls.private_key, violations);
  CheckPresent("--ca", settings.tls.roots, violations);
  CheckPresent("--agent-socket", settings.agent_socket, violations);
  for (auto bad : {CheckRegionCode("--region", settings.region), CheckRegionCode("--id", settings.provisioner_id)}) {
    if (bad) violations.push_back(*std::move(bad));
  }
  return violations;
}

}  // namespace

std::vector<std::string> ParseCommandLine(int argc, char** argv) {
  return ParseFlags(argc, argv, "serves one region; or: init-keyring PATH, public-key PATH", "services/provisioner/");
}

absl::StatusOr<Settings> SettingsFromFlags() {
  Settings settings{.api = absl::GetFlag(FLAGS_api),
                    .region = absl::GetFlag(FLAGS_region),
                    .provisioner_id = absl::GetFlag(FLAGS_id),
                    .data_directory = absl::GetFlag(FLAGS_data_dir),
                    .keyring = absl::GetFlag(FLAGS_keyring),
                    .tls = {.certificate_chain = absl::GetFlag(FLAGS_cert),
                            .private_key = absl::GetFlag(FLAGS_key),
                            .roots = absl::GetFlag(FLAGS_ca)},
                    .files_directory = absl::GetFlag(FLAGS_files_dir),
                    .allow_disk_files = absl::GetFlag(FLAGS_allow_disk_files),
                    .agent_socket = absl::GetFlag(FLAGS_agent_socket),
                    .log_level = absl::GetFlag(FLAGS_log_level),
                    .ready_file = absl::GetFlag(FLAGS_ready_file)};
  settings.agent_listener.address = "unix:" + settings.agent_socket;
  std::vector<FieldViolation> violations = Check(settings);
  ParseMode(absl::GetFlag(FLAGS_agent_socket_mode), settings.agent_listener, violations);
  ParseUsers(absl::GetFlag(FLAGS_agent_users), settings.agent_listener, violations);
  if (!violations.empty()) return InvalidFields("INVALID_FLAGS", std::move(violations));
  return settings;
}

}  // namespace keyferry

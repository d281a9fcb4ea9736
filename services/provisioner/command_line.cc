#include "services/provisioner/command_line.h"

#include <cstdio>
#include <string_view>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/common/error.h"
#include "libs/common/flags.h"
#include "libs/model/names.h"

ABSL_FLAG(std::string, api, "", "host:port of the API's inner door");
ABSL_FLAG(std::string, region, "",
          "code of the region that this provisioner serves; with --identity, its certificate's where absent");
ABSL_FLAG(std::string, id, "", "name of this provisioner, stable over restarts; as in its certificate");
ABSL_FLAG(std::string, data_dir, "", "directory of the region's store");
ABSL_FLAG(std::string, keyring, "", "file with the region's private key; see init-keyring");
ABSL_FLAG(std::string, cert, "", "certificate chain (PEM) of this provisioner");
ABSL_FLAG(std::string, key, "", "private key (PEM) of the certificate");
ABSL_FLAG(std::string, ca, "", "trust roots (PEM) of the API");
ABSL_FLAG(std::string, identity, "",
          "instead of --cert and --key: directory of the certificate that enrolling got; it is renewed by itself");
ABSL_FLAG(std::string, edge_api, "", "host:port of the API's edge door, for enrolling");
ABSL_FLAG(std::string, enrollment_token_file, "", "enrolls with this token at start where --identity is empty");
ABSL_FLAG(std::string, token_file, "", "of enroll: file with the enrollment token; - is standard input");
ABSL_FLAG(std::string, files_dir, "", "directory on tmpfs for values as files; empty: none");
ABSL_FLAG(bool, allow_disk_files, false, "let --files-dir be on a disk");
ABSL_FLAG(std::string, agent_socket, "", "path of the unix socket for agent hosts");
ABSL_FLAG(std::string, agent_socket_mode, "0600", "mode of the socket, octal");
ABSL_FLAG(std::string, agent_users, "",
          "numeric ids of the users that may connect to it, by comma; empty: whoever the mode lets");
ABSL_FLAG(std::string, metrics_listen, "", "IP:port of GET /metrics, in the clear; empty: none");
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

void CheckCode(std::string_view name, const std::string& value, std::vector<FieldViolation>& violations) {
  if (auto bad = CheckRegionCode(name, value)) violations.push_back(*std::move(bad));
}

// By files of somebody else's, or by enrolling.
void CheckCertificate(const TlsFiles& tls, const std::string& identity_directory,
                      std::vector<FieldViolation>& violations) {
  CheckPresent("--ca", tls.roots, violations);
  if (!identity_directory.empty()) {
    if (!tls.certificate_chain.empty() || !tls.private_key.empty())
      violations.push_back({"--identity", "is instead of --cert and --key"});
    return;
  }
  CheckPresent("--cert", tls.certificate_chain, violations);
  CheckPresent("--key", tls.private_key, violations);
}

// An identity knows who it is.
void CheckNames(const Settings& settings, std::vector<FieldViolation>& violations) {
  const bool by_files = settings.identity_directory.empty();
  const bool enrolls = !settings.enrollment.token_file.empty();
  if (enrolls && by_files)
    violations.push_back({"--enrollment-token-file", "needs --identity, the directory for what it gets"});
  if (enrolls) CheckPresent("--edge-api", settings.enrollment.edge_api, violations);
  if (by_files || !settings.region.empty()) CheckCode("--region", settings.region, violations);
  if (by_files || enrolls || !settings.provisioner_id.empty()) CheckCode("--id", settings.provisioner_id, violations);
}

std::vector<FieldViolation> Check(const Settings& settings) {
  std::vector<FieldViolation> violations;
  CheckPresent("--api", settings.api, violations);
  CheckPresent("--data-dir", settings.data_directory, violations);
  CheckPresent("--keyring", settings.keyring, violations);
  CheckPresent("--agent-socket", settings.agent_socket, violations);
  CheckCertificate(settings.tls, settings.identity_directory, violations);
  CheckNames(settings, violations);
  return violations;
}

TlsFiles TlsFromFlags() {
  return {.certificate_chain = absl::GetFlag(FLAGS_cert),
          .private_key = absl::GetFlag(FLAGS_key),
          .roots = absl::GetFlag(FLAGS_ca)};
}

// `--token-file -` becomes `--token-file=-`: of the first form abseil asks whether it was really meant.
std::vector<std::string> WithStandardInputJoined(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "-" && !arguments.empty() && arguments.back().starts_with("--"))
      arguments.back().append("=-");
    else
      arguments.emplace_back(argument);
  }
  return arguments;
}

EnrollmentSettings EnrollmentFromFlags(std::string token_file) {
  return {.edge_api = absl::GetFlag(FLAGS_edge_api),
          .roots = absl::GetFlag(FLAGS_ca),
          .provisioner_id = absl::GetFlag(FLAGS_id),
          .token_file = std::move(token_file)};
}

}  // namespace

std::vector<std::string> ParseCommandLine(int argc, char** argv) {
  std::vector<std::string> arguments = WithStandardInputJoined(argc, argv);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return ParseFlags(static_cast<int>(pointers.size()), pointers.data(),
                    "serves one region; or: init-keyring PATH, public-key PATH, rotate-key PATH, retire-keys PATH, "
                    "enroll",
                    "services/provisioner/");
}

absl::StatusOr<Settings> SettingsFromFlags() {
  Settings settings{.api = absl::GetFlag(FLAGS_api),
                    .region = absl::GetFlag(FLAGS_region),
                    .provisioner_id = absl::GetFlag(FLAGS_id),
                    .data_directory = absl::GetFlag(FLAGS_data_dir),
                    .keyring = absl::GetFlag(FLAGS_keyring),
                    .tls = TlsFromFlags(),
                    .identity_directory = absl::GetFlag(FLAGS_identity),
                    .enrollment = EnrollmentFromFlags(absl::GetFlag(FLAGS_enrollment_token_file)),
                    .files_directory = absl::GetFlag(FLAGS_files_dir),
                    .allow_disk_files = absl::GetFlag(FLAGS_allow_disk_files),
                    .agent_socket = absl::GetFlag(FLAGS_agent_socket),
                    .metrics_address = absl::GetFlag(FLAGS_metrics_listen),
                    .log_level = absl::GetFlag(FLAGS_log_level),
                    .ready_file = absl::GetFlag(FLAGS_ready_file)};
  settings.agent_listener.address = "unix:" + settings.agent_socket;
  std::vector<FieldViolation> violations = Check(settings);
  ParseMode(absl::GetFlag(FLAGS_agent_socket_mode), settings.agent_listener, violations);
  ParseUsers(absl::GetFlag(FLAGS_agent_users), settings.agent_listener, violations);
  if (!violations.empty()) return InvalidFields("INVALID_FLAGS", std::move(violations));
  return settings;
}

absl::StatusOr<EnrollCommand> EnrollCommandFromFlags() {
  EnrollCommand command{.settings = EnrollmentFromFlags(absl::GetFlag(FLAGS_token_file)),
                        .keyring = absl::GetFlag(FLAGS_keyring),
                        .identity_directory = absl::GetFlag(FLAGS_identity)};
  std::vector<FieldViolation> violations;
  CheckPresent("--edge-api", command.settings.edge_api, violations);
  CheckPresent("--ca", command.settings.roots, violations);
  CheckPresent("--keyring", command.keyring, violations);
  CheckPresent("--identity", command.identity_directory, violations);
  CheckPresent("--token-file", command.settings.token_file, violations);
  CheckCode("--id", command.settings.provisioner_id, violations);
  if (!violations.empty()) return InvalidFields("INVALID_FLAGS", std::move(violations));
  return command;
}

}  // namespace keyferry

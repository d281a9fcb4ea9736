#include "services/api/api_options.h"

#include <algorithm>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "libs/common/flags.h"
#include "libs/common/status_macros.h"
#include "libs/rpc/spiffe_id.h"
#include "services/api/region_authority.h"

ABSL_FLAG(std::string, data_dir, "", "Directory of the store. Made when missing.");
ABSL_FLAG(std::string, keyring, "",
          "Keyring file, outside the data directory. `keyferry-api keyring init PATH` makes one.");
ABSL_FLAG(std::string, kms_socket, "",
          "Unix socket of a Kubernetes KMS v2 plugin that holds the root key. Empty: the keyring holds it.");
ABSL_FLAG(std::string, wrap_with, "",
          "kms or keyring: which of them wraps; both unwrap. Empty: the KMS where --kms-socket names one. To leave a KMS: keyring.");
ABSL_FLAG(std::string, inner_listen, "",
          "host:port of the inner door: provisioners, operators, internal services. Port 0: any.");
ABSL_FLAG(std::string, inner_cert, "", "PEM certificate chain of the inner door.");
ABSL_FLAG(std::string, inner_key, "", "PEM private key of the inner door.");
ABSL_FLAG(std::string, client_ca, "", "PEM roots that certificates of the inner door's callers must lead to.");
ABSL_FLAG(std::string, edge_listen, "",
          "host:port or unix:/path of the edge door: callers with API keys. Empty: none.");
ABSL_FLAG(std::string, edge_cert, "", "PEM certificate chain of the edge door. Needed for host:port.");
ABSL_FLAG(std::string, edge_key, "", "PEM private key of the edge door.");
ABSL_FLAG(std::string, trust_domain, "", "SPIFFE trust domain of our certificates.");
ABSL_FLAG(absl::Duration, region_certificate_ttl, keyferry::kDefaultCertificateTtl, "How long certificates of provisioners that enroll here live: 10s to 720h.");
ABSL_FLAG(std::string, audit_directory, "",
          "Directory, best of another disk, where the audit trail is written a second time as JSON lines. Made when missing. Empty: it is not.");
ABSL_FLAG(std::string, backup_directory, "", "Directory of backups, outside the data directory. Empty: none are made.");
ABSL_FLAG(absl::Duration, backup_interval, absl::Hours(1), "Between two backups, up to 168h. 0: only on demand.");
ABSL_FLAG(absl::Duration, backup_retention, absl::Hours(24 * 30), "Backups that are older go, but never the newest; at least 1m.");
ABSL_FLAG(std::string, shred_ledger, "",
          "File, outside the data directory, that remembers what was deleted for good. Empty: shred-ledger in the directory of backups.");
ABSL_FLAG(std::string, metrics_listen, "", "IP:port of GET /metrics, in the clear. Empty: none.");
ABSL_FLAG(std::string, log_level, "info", "debug, info, warning or error.");
ABSL_FLAG(std::string, ready_file, "", "Where to write the addresses, as JSON, once the process serves.");
ABSL_FLAG(int, worker_threads, 0, "Threads that run calls, and as many that run jobs and regions that catch up, behind them. 0: one for each core, at least 4.");

namespace keyferry {
namespace {

constexpr int kMinWorkerThreads = 4;
constexpr int kMaxWorkerThreads = 1024;
// The proxy in front shares the group.
constexpr mode_t kEdgeSocketMode = 0660;

bool IsUnix(const std::string& address) { return address.starts_with("unix:"); }

absl::Status CheckRequired(const ApiOptions& options) {
  const std::pair<const char*, const std::string&> required[] = {
      {"--data_dir", options.data_directory},         {"--keyring", options.keyring},
      {"--inner_listen", options.inner_address},      {"--inner_cert", options.inner_tls.certificate_chain},
      {"--inner_key", options.inner_tls.private_key}, {"--client_ca", options.inner_tls.roots},
      {"--trust_domain", options.trust_domain}};
  std::string missing;
  for (const auto& [flag, value] : required) {
    if (value.empty()) absl::StrAppend(&missing, missing.empty() ? "" : ", ", flag);
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("missing: ", missing, "; see --help"));
}

absl::Status Check(const ApiOptions& options) {
  RETURN_IF_ERROR(CheckRequired(options));
  if (IsUnix(options.inner_address))
    return absl::InvalidArgumentError("--inner_listen must be host:port: it knows its callers by TLS");
  if (!options.edge_address.empty() && !IsUnix(options.edge_address) && options.edge_tls.certificate_chain.empty()) {
    return absl::InvalidArgumentError(
        "--edge_listen is host:port, where API keys may not travel in the clear: give --edge_cert and --edge_key, or "
        "listen on unix:/path");
  }
  if (options.region_certificate_ttl < kMinCertificateTtl || options.region_certificate_ttl > kMaxCertificateTtl) {
    return absl::InvalidArgumentError("--region_certificate_ttl must be 10s to 720h");
  }
  if (options.worker_thread_count < 1 || options.worker_thread_count > kMaxWorkerThreads) {
    return absl::InvalidArgumentError(absl::StrCat("--worker_threads must be 0 to ", kMaxWorkerThreads));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ApiOptions> ParseCommandLine(int argc, char** argv) {
  const std::vector<std::string> words =
      ParseFlags(argc, argv,
                 "The Keyferry API: the only writer of the store.\n"
                 "  keyferry-api FLAGS...                        serve\n"
                 "  keyferry-api keyring init PATH               make a keyring: root, pepper, audit and backup keys\n"
                 "  keyferry-api keyring add PATH PURPOSE        a newer key; the one before is kept as previous\n"
                 "  keyferry-api keyring list PATH               purpose, state and id of each key\n"
                 "  keyferry-api keyring retire PATH PURPOSE ID  destroy a previous key\n"
                 "  keyferry-api keyring verify PATH             every check that a start makes\n"
                 "  keyferry-api restore --from DIR --data-dir DIR --keyring FILE     bring a backup back\n"
                 "  keyferry-api verify-backup --from DIR --keyring FILE              check one\n"
                 "  keyferry-api init-keyring PATH               the same as keyring init",
                 "services/api/");
  ApiOptions options{
      .data_directory = absl::GetFlag(FLAGS_data_dir),
      .keyring = absl::GetFlag(FLAGS_keyring),
      .kms_socket = absl::GetFlag(FLAGS_kms_socket),
      .wrap_with = absl::GetFlag(FLAGS_wrap_with),
      .inner_address = absl::GetFlag(FLAGS_inner_listen),
      .inner_tls = {absl::GetFlag(FLAGS_inner_cert), absl::GetFlag(FLAGS_inner_key), absl::GetFlag(FLAGS_client_ca)},
      .edge_address = absl::GetFlag(FLAGS_edge_listen),
      .edge_tls = {absl::GetFlag(FLAGS_edge_cert), absl::GetFlag(FLAGS_edge_key), ""},
      .trust_domain = absl::GetFlag(FLAGS_trust_domain),
      .region_certificate_ttl = absl::GetFlag(FLAGS_region_certificate_ttl),
      .audit_directory = absl::GetFlag(FLAGS_audit_directory),
      .backup_directory = absl::GetFlag(FLAGS_backup_directory),
      .backup_interval = absl::GetFlag(FLAGS_backup_interval),
      .backup_retention = absl::GetFlag(FLAGS_backup_retention),
      .shred_ledger = absl::GetFlag(FLAGS_shred_ledger),
      .metrics_address = absl::GetFlag(FLAGS_metrics_listen),
      .log_level = absl::GetFlag(FLAGS_log_level),
      .ready_file = absl::GetFlag(FLAGS_ready_file),
      .worker_thread_count = absl::GetFlag(FLAGS_worker_threads)};
  ASSIGN_OR_RETURN(options.limits, LimitOptionsOfFlags());
  if (options.worker_thread_count == 0) {
    options.worker_thread_count = std::max(kMinWorkerThreads, static_cast<int>(std::thread::hardware_concurrency()));
  }
  if (words.size() == 2 && words[0] == "init-keyring") {
    options.keyring_words = {"init", words[1]};
    return options;
  }
  if (!words.empty() && words[0] == "keyring") {
    options.keyring_words = {words.begin() + 1, words.end()};
    if (options.keyring_words.empty()) options.keyring_words = {""};
    return options;
  }
  if (words.size() == 1 && (words[0] == "restore" || words[0] == "verify-backup")) {
    options.restore_command = words[0];
    return options;
  }
  if (!words.empty()) return absl::InvalidArgumentError(absl::StrCat("what is `", words[0], "`? see --help"));
  RETURN_IF_ERROR(Check(options));
  return options;
}

absl::Status CheckDoors(const ApiOptions& options) {
  RETURN_IF_ERROR(CheckTrustDomain(options.trust_domain));
  RETURN_IF_ERROR(CheckTlsFiles(options.inner_tls));
  return options.edge_tls.certificate_chain.empty() ? absl::OkStatus() : CheckTlsFiles(options.edge_tls);
}

namespace {

// A handshake with both certificates costs some 1.2 ms: an eighth of each core's time, however many come back at once.
int InnerAdmissionsPerSecond() {
  constexpr int kPerCore = 100;
  return kPerCore * std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

absl::StatusOr<std::vector<Door>> DoorsOf(const ApiOptions& options, const std::string& inner_roots) {
  ASSIGN_OR_RETURN(auto inner, MutualTlsServerCredentials({.certificate_chain = options.inner_tls.certificate_chain,
                                                           .private_key = options.inner_tls.private_key,
                                                           .roots = inner_roots}));
  std::vector<Door> doors = {{{.address = options.inner_address, .max_admissions_per_second = InnerAdmissionsPerSecond()}, std::move(inner)}};
  if (IsUnix(options.edge_address)) {
    doors.push_back(
        {{.address = options.edge_address, .file_mode = kEdgeSocketMode}, grpc::InsecureServerCredentials()});
  } else if (!options.edge_address.empty()) {
    ASSIGN_OR_RETURN(auto edge, TlsServerCredentials(options.edge_tls));
    doors.push_back({{.address = options.edge_address}, std::move(edge)});
  }
  return doors;
}

}  // namespace keyferry

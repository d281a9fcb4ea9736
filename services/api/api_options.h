// What keyferry-api is told on its command line.
#ifndef KEYFERRY_SERVICES_API_API_OPTIONS_H_
#define KEYFERRY_SERVICES_API_API_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/server.h"
#include "services/api/limit_options.h"

namespace keyferry {

struct ApiOptions {
  // What follows `keyferry-api keyring`; empty: serve.
  std::vector<std::string> keyring_words;
  std::string data_directory;
  std::string keyring;
  // Empty: root keys of the keyring. A KMS plugin's unix socket.
  std::string kms_socket;
  // `kms`, `keyring` or empty; see root_key_provider.h.
  std::string wrap_with;
  std::string inner_address;
  TlsFiles inner_tls;
  // Empty: no edge door.
  std::string edge_address;
  TlsFiles edge_tls;
  std::string trust_domain;
  absl::Duration region_certificate_ttl;
  // The audit trail's second sink. Empty: none.
  std::string audit_directory;
  // Empty: no backups.
  std::string backup_directory;
  absl::Duration backup_interval;
  absl::Duration backup_retention;
  // Empty: in the backup directory.
  std::string shred_ledger;
  // `restore` or `verify-backup` (restore_command.h); empty: neither.
  std::string restore_command;
  // Empty: none.
  std::string metrics_address;
  std::string log_level;
  std::string ready_file;
  int worker_thread_count = 0;
  LimitOptions limits;
};

// Ends the process, as flags do, on one that does not exist. InvalidArgument: something is missing or does not fit.
absl::StatusOr<ApiOptions> ParseCommandLine(int argc, char** argv);

// Whether the doors' files and the trust domain are good, before anything is opened. FailedPrecondition as in libs/rpc/credentials.h.
absl::Status CheckDoors(const ApiOptions& options);
// Inner door first; it trusts what leads to `inner_roots`. FailedPrecondition as in libs/rpc/credentials.h.
absl::StatusOr<std::vector<Door>> DoorsOf(const ApiOptions& options, const std::string& inner_roots);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_API_OPTIONS_H_

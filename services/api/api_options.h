// What keyferry-api is told on its command line.
#ifndef KEYFERRY_SERVICES_API_API_OPTIONS_H_
#define KEYFERRY_SERVICES_API_API_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/server.h"

namespace keyferry {

struct ApiOptions {
  // Of `keyferry-api init-keyring PATH`; empty: serve.
  std::string new_keyring;
  std::string data_directory;
  std::string keyring;
  std::string inner_address;
  TlsFiles inner_tls;
  // Empty: no edge door.
  std::string edge_address;
  TlsFiles edge_tls;
  std::string trust_domain;
  std::string log_level;
  std::string ready_file;
  int worker_thread_count = 0;
};

// Ends the process, as flags do, on one that does not exist. InvalidArgument: something is missing or does not fit.
absl::StatusOr<ApiOptions> ParseCommandLine(int argc, char** argv);

// Inner door first. FailedPrecondition as in libs/rpc/credentials.h.
absl::StatusOr<std::vector<Door>> DoorsOf(const ApiOptions& options);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_API_OPTIONS_H_

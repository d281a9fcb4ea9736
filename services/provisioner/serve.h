// The object graph of a provisioner that serves its region.
#ifndef KEYFERRY_SERVICES_PROVISIONER_SERVE_H_
#define KEYFERRY_SERVICES_PROVISIONER_SERVE_H_

#include "absl/status/status.h"
#include "services/provisioner/command_line.h"

namespace keyferry {

// Until SIGTERM or SIGINT; SIGHUP reads the keyring again. All three are blocked. Unavailable: worth trying again.
absl::Status Serve(Settings settings);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_SERVE_H_

// The unix socket of a KMS plugin: who may have made it. Whoever can put another socket in its place is handed every
// key that is wrapped.
//
// Refused, each with its own words and how to mend it: a path that is not absolute (so no abstract socket), one too
// long for a socket, a symbolic link at its end or on the way, anything but a socket, a mode beyond 0660, another owner
// than this user or root (of the socket, of a directory on the way, or of the process that listens), a directory on the
// way that others can write (unless it is sticky), a directory of its own that everybody can write.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_API_KMS_SOCKET_H_
#define KEYFERRY_SERVICES_API_KMS_SOCKET_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/rpc/socket.h"

namespace keyferry {

// FailedPrecondition with the reason. NotFound: there is no such file (yet).
absl::Status CheckKmsSocket(const std::string& path);

// Checks, connects, and checks who listens. Close-on-exec, non-blocking. As CheckKmsSocket; Unavailable: nobody
// listens.
absl::StatusOr<Descriptor> ConnectKmsSocket(const std::string& path);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_KMS_SOCKET_H_

// Our own accept loop. gRPC 1.51 gives a listener up for ever at the first accept that fails for want of descriptors
// (CVE-2023-4785); this one waits and goes on, and caps the connections it has open.
//
// Thread safety: Bind, Start and the destructor on one thread; the handler runs on the acceptor's own.
#ifndef KEYFERRY_RPC_ACCEPTOR_H_
#define KEYFERRY_RPC_ACCEPTOR_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/common/limits.h"

namespace keyferry {

// Descriptors that connections leave for the store, for streams and for what they lead to.
inline constexpr int kReservedDescriptors = 512;
// However few descriptors there are.
inline constexpr int kMinConnections = 16;

// `wanted`, or what this many descriptors (RLIMIT_NOFILE) have room for: half of those not reserved, as a server has
// two doors.
int ClampConnections(int wanted, rlim_t descriptor_limit);

struct ListenerOptions {
  // `host:port` (port 0: any free one; `[::1]:0`) or `unix:/path`.
  std::string address;
  // Clamped to what RLIMIT_NOFILE has room for.
  int max_connections = kMaxConnections;
  // admission.h; 0: no pace.
  int max_admissions_per_second = 0;
  // Unix sockets: mode of the file, and the users that may connect (SO_PEERCRED); nullopt: whoever the mode lets.
  mode_t file_mode = 0600;
  std::optional<std::vector<uid_t>> allowed_users;
};

class Acceptor {
 public:
  // Takes the descriptor: non-blocking, close-on-exec.
  using Handler = std::function<void(int descriptor)>;

  // Listens at once; connections wait in the kernel's queue until Start. InvalidArgument: no such address.
  // FailedPrecondition: the path of a unix socket is something else. Unavailable: the address is in use, or may not be
  // used. A unix socket that nobody listens on any more is replaced.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Bind(ListenerOptions options);

  // Ends the loop, closes the listener and removes its unix socket. Connections that were handed over live on.
  virtual ~Acceptor() = default;

  // As options.address, with the port that was chosen.
  virtual const std::string& address() const = 0;
  // REQUIRES: not called before.
  virtual void Start(Handler handler) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_RPC_ACCEPTOR_H_

// A gRPC server behind our own accept loops, with the house's limits: message and metadata sizes, memory, streams a
// connection, keepalive, no compression (it would tell of secrets by their size), the standard health service on every
// door, never reflection or channelz.
//
// What a door lets a peer prove follows from its credentials; services read it from the call's AuthContext.
//
// Thread safety: all methods from any thread, except that Shutdown and the destructor must not meet.
#ifndef KEYFERRY_RPC_SERVER_H_
#define KEYFERRY_RPC_SERVER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/rpc/acceptor.h"

namespace grpc {
class Service;
class ServerCredentials;
}  // namespace grpc

namespace keyferry {

struct Door {
  ListenerOptions listener;
  std::shared_ptr<grpc::ServerCredentials> credentials;
};

class RpcServer {
 public:
  // Serves at once, health SERVING. The services outlive the server. Codes as Acceptor::Bind; Internal when gRPC
  // refuses to start.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const std::vector<grpc::Service*>& services,
                                                          std::vector<Door> doors);

  // Shuts down without mercy unless Shutdown was called.
  virtual ~RpcServer() = default;

  // Of each door in order, with the port that was chosen.
  virtual std::vector<std::string> addresses() const = 0;
  // Answer of the health service, for every service.
  virtual void SetServing(bool serving) = 0;
  // The same for one service alone, which need not be one that is served: a name for probes.
  virtual void SetServing(const std::string& service, bool serving) = 0;
  // NOT_SERVING; no new connections and calls; waits for the calls that run, and cancels those that still do after
  // `patience`. Returns once none runs. Later calls do nothing.
  virtual void Shutdown(absl::Duration patience) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_RPC_SERVER_H_

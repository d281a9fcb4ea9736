// TLS credentials and channels. Files are read again when they change (symlink-swapped directories), for new
// handshakes.
#ifndef KEYFERRY_RPC_CREDENTIALS_H_
#define KEYFERRY_RPC_CREDENTIALS_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace keyferry {

// PEM files. FailedPrecondition, naming the file, when one cannot be read or key and certificate do not match.
struct TlsFiles {
  std::string certificate_chain;
  std::string private_key;
  // Trust roots of the peer.
  std::string roots;
};

// Whether certificate and key can be read and match; roots too, unless empty.
absl::Status CheckTlsFiles(const TlsFiles& files);

// Requires and verifies a client certificate.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MutualTlsServerCredentials(const TlsFiles& files);
// Asks for none. roots is not used.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsServerCredentials(const TlsFiles& files);
// Presents certificate_chain when it is not empty.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> TlsChannelCredentials(const TlsFiles& files);
// The same from what the files hold now: for a channel that lives no longer than one connection.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> FixedTlsChannelCredentials(const TlsFiles& files);

// A channel with the house's keepalive (30 s / 10 s, also without calls), message limits, bdp_probe 0 and a 64 KiB
// look-ahead. target: `host:port` or `unix:/path`.
std::shared_ptr<grpc::Channel> NewChannel(const std::string& target,
                                          std::shared_ptr<grpc::ChannelCredentials> credentials);
// The same on a connection that no other channel shares. A server that went away is looked for again within 2 s.
std::shared_ptr<grpc::Channel> NewUnsharedChannel(const std::string& target,
                                                  std::shared_ptr<grpc::ChannelCredentials> credentials);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_CREDENTIALS_H_

// What a connection's TLS proved of its peer. Parsing a certificate costs more than a whole call may, so what was read
// of one is kept.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_RPC_PEER_IDENTITIES_H_
#define KEYFERRY_RPC_PEER_IDENTITIES_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/rpc/spiffe_id.h"

namespace grpc {
class AuthContext;
}

namespace keyferry {

inline constexpr size_t kMaxPeersCached = 4096;

struct PeerIdentity {
  SpiffeId id;
  // Of the certificate; the caller checks it, since a connection outlives its handshake.
  absl::Time expiry;
};

class PeerIdentities {
 public:
  // What `provisioner_authority` (PEM; may be empty) signed counts for provisioners alone. InvalidArgument: the trust domain is none.
  static absl::StatusOr<std::unique_ptr<PeerIdentities>> Create(std::string_view trust_domain, std::string_view provisioner_authority = "");
  virtual ~PeerIdentities() = default;

  // Null: the peer presented no certificate (the edge door). Unauthenticated: it did, but not a leaf for digital signatures and TLS clients with
  // exactly one URI that is a SPIFFE id of ours.
  virtual absl::StatusOr<std::shared_ptr<const PeerIdentity>> Identify(const grpc::AuthContext& context) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_RPC_PEER_IDENTITIES_H_

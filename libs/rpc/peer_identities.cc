#include "libs/rpc/peer_identities.h"

#include <grpcpp/security/auth_context.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/certificate.h"

namespace keyferry {
namespace {

std::string ToString(grpc::string_ref text) { return std::string(text.data(), text.size()); }

absl::Status CheckLeaf(const CertificateFacts& facts) {
  if (facts.is_authority) return absl::UnauthenticatedError("the client certificate is an authority's; it must be a leaf");
  if (!facts.may_sign || !facts.may_be_client) {
    return absl::UnauthenticatedError("the client certificate must say that it is for digital signatures and for TLS clients");
  }
  return absl::OkStatus();
}

class CachedPeerIdentities final : public PeerIdentities {
 public:
  CachedPeerIdentities(std::string_view trust_domain, std::string_view provisioner_authority)
      : trust_domain_(trust_domain), provisioner_authority_(provisioner_authority) {}

  absl::StatusOr<std::shared_ptr<const PeerIdentity>> Identify(const grpc::AuthContext& context) override {
    const std::vector<grpc::string_ref> pems = context.FindPropertyValues("x509_pem_cert");
    if (pems.empty() && !context.IsPeerAuthenticated()) return std::shared_ptr<const PeerIdentity>();
    const std::string pem = pems.empty() ? "" : ToString(pems[0]);
    {
      absl::MutexLock lock(&mutex_);
      if (const auto known = known_.find(pem); known != known_.end()) return known->second;
    }
    ASSIGN_OR_RETURN(PeerIdentity identity, Read(context, pem));
    auto shared = std::make_shared<const PeerIdentity>(std::move(identity));
    absl::MutexLock lock(&mutex_);
    if (known_.size() >= kMaxPeersCached) known_.clear();
    known_[pem] = shared;
    return shared;
  }

 private:
  absl::StatusOr<PeerIdentity> Read(const grpc::AuthContext& context, const std::string& pem) const {
    const std::vector<grpc::string_ref> ids = context.FindPropertyValues("peer_spiffe_id");
    if (ids.size() != 1 || context.FindPropertyValues("peer_uri").size() != 1) {
      return absl::UnauthenticatedError("the client certificate must hold exactly one URI, and that a SPIFFE id");
    }
    const absl::StatusOr<CertificateFacts> facts = ReadCertificate(pem);
    if (!facts.ok()) return absl::UnauthenticatedError("the client certificate cannot be read");
    RETURN_IF_ERROR(CheckLeaf(*facts));
    // A NUL inside, or whatever else gRPC and we do not read alike.
    if (facts->uris.size() != 1 || facts->uris[0] != ToString(ids[0])) {
      return absl::UnauthenticatedError("the client certificate's URI cannot be read");
    }
    ASSIGN_OR_RETURN(SpiffeId id, ParseSpiffeId(facts->uris[0], trust_domain_));
    if (id.kind != SpiffeKind::kProvisioner && !provisioner_authority_.empty() && IsSignedBy(pem, provisioner_authority_)) {
      return absl::UnauthenticatedError("the authority that signed the client certificate vouches for provisioners alone");
    }
    return PeerIdentity{.id = std::move(id), .expiry = facts->not_after};
  }

  const std::string trust_domain_;
  const std::string provisioner_authority_;
  absl::Mutex mutex_;
  // By the certificate's PEM.
  std::unordered_map<std::string, std::shared_ptr<const PeerIdentity>> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<PeerIdentities>> PeerIdentities::Create(std::string_view trust_domain, std::string_view provisioner_authority) {
  RETURN_IF_ERROR(CheckTrustDomain(trust_domain));
  return std::make_unique<CachedPeerIdentities>(trust_domain, provisioner_authority);
}

}  // namespace keyferry

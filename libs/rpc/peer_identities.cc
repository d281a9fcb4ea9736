#include "libs/rpc/peer_identities.h"

#include <grpcpp/security/auth_context.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

std::string ToString(grpc::string_ref text) { return std::string(text.data(), text.size()); }

absl::StatusOr<absl::Time> ExpiryOf(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                      BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                                                X509_free);
  std::tm fields{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &fields) != 1) {
    return absl::UnauthenticatedError("the client certificate cannot be read");
  }
  return absl::FromTM(fields, absl::UTCTimeZone());
}

class CachedPeerIdentities final : public PeerIdentities {
 public:
  explicit CachedPeerIdentities(std::string_view trust_domain) : trust_domain_(trust_domain) {}

  absl::StatusOr<std::shared_ptr<const PeerIdentity>> Identify(const grpc::AuthContext& context) override {
    const std::vector<grpc::string_ref> pems = context.FindPropertyValues("x509_pem_cert");
    if (pems.empty() && !context.IsPeerAuthenticated()) return std::shared_ptr<const PeerIdentity>();
    const std::string pem = pems.empty() ? "" : ToString(pems[0]);
    {
      std::lock_guard lock(mutex_);
      if (const auto known = known_.find(pem); known != known_.end()) return known->second;
    }
    ASSIGN_OR_RETURN(PeerIdentity identity, Read(context, pem));
    auto shared = std::make_shared<const PeerIdentity>(std::move(identity));
    std::lock_guard lock(mutex_);
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
    ASSIGN_OR_RETURN(SpiffeId id, ParseSpiffeId(ToString(ids[0]), trust_domain_));
    ASSIGN_OR_RETURN(const absl::Time expiry, ExpiryOf(pem));
    return PeerIdentity{.id = std::move(id), .expiry = expiry};
  }

  const std::string trust_domain_;
  std::mutex mutex_;
  // By the certificate's PEM.
  std::unordered_map<std::string, std::shared_ptr<const PeerIdentity>> known_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PeerIdentities>> PeerIdentities::Create(std::string_view trust_domain) {
  RETURN_IF_ERROR(CheckTrustDomain(trust_domain));
  return std::make_unique<CachedPeerIdentities>(trust_domain);
}

}  // namespace keyferry

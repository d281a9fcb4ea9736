// RegionAuthority: issues the certificates of provisioners that enrolled. Its own certificate is made when the store is
// first served and lives in it (keys::RegionAuthority). What it signed counts for provisioners and nobody else
// (libs/rpc/peer_identities.h).
//
// Thread safety: immutable; all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_REGION_AUTHORITY_H_
#define KEYFERRY_SERVICES_API_REGION_AUTHORITY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "libs/crypto/certificate.h"
#include "services/api/transaction.h"

namespace keyferry {

inline constexpr absl::Duration kDefaultCertificateTtl = absl::Hours(24);
inline constexpr absl::Duration kMinCertificateTtl = absl::Seconds(10);
inline constexpr absl::Duration kMaxCertificateTtl = absl::Hours(24 * 30);

struct ProvisionerCertificate {
  // PEM: the leaf, then the authority.
  std::string chain;
  std::string spiffe_id;
  // Lower-case hex.
  std::string serial;
  absl::Time expire_time;
  // At half of its life, give or take a tenth of that, so that provisioners do not come all at once.
  absl::Time renew_time;
};

class RegionAuthority {
 public:
  struct Options {
    std::string trust_domain;
    absl::Duration certificate_ttl = kDefaultCertificateTtl;
  };
  // Reads the authority, or makes it; waits for the commit. The clock outlives it. DataLoss: what is stored is none.
  // InvalidArgument: the ttl is out of bounds. The store's error.
  static absl::StatusOr<std::unique_ptr<RegionAuthority>> Create(const Writer& writer, const Clock& clock,
                                                                 Options options);

  const std::string& certificate_pem() const { return authority_.certificate_pem(); }
  std::string SpiffeIdOf(const std::string& region, const std::string& provisioner_id) const;
  // `public_key`: as PublicKeyOfCsr gives it. Internal: it could not.
  absl::StatusOr<ProvisionerCertificate> Issue(const std::string& region, const std::string& provisioner_id,
                                               const std::string& public_key) const;

 private:
  RegionAuthority(CertificateAuthority authority, const Clock& clock, Options options)
      : authority_(std::move(authority)), clock_(clock), options_(std::move(options)) {}

  const CertificateAuthority authority_;
  const Clock& clock_;
  const Options options_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_AUTHORITY_H_

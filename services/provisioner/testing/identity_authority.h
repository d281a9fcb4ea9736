// Issues certificates for requests as the API's region authority does, for tests.
#ifndef KEYFERRY_SERVICES_PROVISIONER_TESTING_IDENTITY_AUTHORITY_H_
#define KEYFERRY_SERVICES_PROVISIONER_TESTING_IDENTITY_AUTHORITY_H_

#include <fstream>
#include <string>

#include "libs/crypto/certificate.h"
#include "libs/crypto/certificate_request.h"
#include "services/provisioner/enrollment_client.h"

namespace keyferry {

// For us-west-1, from `now` on, half of `lifetime` until its renewal.
class IdentityAuthority {
 public:
  // Puts its certificate into this file.
  explicit IdentityAuthority(const std::string& roots) { std::ofstream(roots) << authority_.certificate_pem(); }

  IssuedCertificate Issue(const std::string& csr, absl::Time now, absl::Duration lifetime) const {
    Identity identity{.region = "us-west",
                      .provisioner_id = "us-west-1",
                      .spiffe_id = "spiffe://keyferry.test/region/us-west/provisioner/us-west-1",
                      .expire_time = now + lifetime,
                      .renew_time = now + lifetime / 2};
    const std::string leaf = authority_
                                 .Issue({.public_key = PublicKeyOfCsr(csr).value(),
                                         .spiffe_id = identity.spiffe_id,
                                         .not_before = now - absl::Minutes(1),
                                         .not_after = now + lifetime})
                                 .value();
    return {.identity = std::move(identity), .chain = leaf + authority_.certificate_pem()};
  }

 private:
  // Its clock stands where a FakeClock begins.
  const CertificateAuthority authority_ =
      CertificateAuthority::Make("test", absl::FromUnixSeconds(1'600'000'000)).value();
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_TESTING_IDENTITY_AUTHORITY_H_

// Certificates and certificate requests from outside: read or refused; none is taken for one that our authority signed,
// and what the authority makes of a request says what we say and nothing that the request asked for.
#include <string>

#include "libs/crypto/certificate.h"
#include "libs/rpc/spiffe_id.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr char kOurs[] = "spiffe://keyferry.test/region/us-west/provisioner/p1";

const CertificateAuthority& Authority() {
  static const CertificateAuthority* const made =
      new CertificateAuthority(*CertificateAuthority::Make("fuzz", absl::UnixEpoch()));
  return *made;
}

void CheckRequest(std::string_view bytes) {
  const absl::StatusOr<std::string> key = PublicKeyOfCsr(bytes);
  if (!key.ok()) return;
  Require(bytes.size() <= kMaxCsrBytes, "no request above the limit is taken");
  const auto issued = Authority().Issue({.public_key = *key,
                                         .spiffe_id = kOurs,
                                         .not_before = absl::UnixEpoch() + absl::Hours(1),
                                         .not_after = absl::UnixEpoch() + absl::Hours(2)});
  Require(issued.ok(), "the key of an accepted request gets a certificate");
  const auto facts = ReadCertificate(*issued);
  Require(facts.ok() && facts->uris == std::vector<std::string>{kOurs}, "it has our name and no other");
  Require(!facts->is_authority && facts->may_be_client, "it is a client's");
  Require(IsSignedBy(*issued, Authority().certificate_pem()), "it is signed");
}

// Rows of a region's authority that were damaged or exchanged.
void CheckAuthority(std::string_view bytes) {
  const std::string& pem = Authority().certificate_pem();
  const SecretBytes key = Authority().PrivateKey();
  static const bool loads = CertificateAuthority::Load(pem, key).ok();
  Require(loads, "a certificate loads with its own key");
  Require(!CertificateAuthority::Load(bytes, key).ok(), "nobody makes a certificate for a key that is not known");
  Require(!CertificateAuthority::Load(pem, SecretBytes::Copy(bytes)).ok(), "nobody makes an authority's key");
}

void CheckCertificate(std::string_view pem) {
  const auto facts = ReadCertificate(pem);
  Require(!IsSignedBy(pem, Authority().certificate_pem()), "what we did not sign is not signed by us");
  if (!facts.ok()) return;
  for (const std::string& uri : facts->uris) {
    const auto id = ParseSpiffeId(uri, "keyferry.test");
    Require(!id.ok() || id->text == uri, "an id is what the certificate says, unchanged");
  }
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = keyferry::TextOf(data, size);
  keyferry::CheckRequest(bytes);
  keyferry::CheckCertificate(bytes);
  keyferry::CheckAuthority(bytes);
  return 0;
}

// X.509 for provisioners: a small certificate authority (ECDSA P-256), the certificate requests that it answers, and
// what a certificate says. docs/access.md, section "Regions enroll".
//
// Thread safety: all functions and const methods may be called from any thread.
#ifndef KEYFERRY_CRYPTO_CERTIFICATE_H_
#define KEYFERRY_CRYPTO_CERTIFICATE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

inline constexpr size_t kMaxCsrBytes = 4 * 1024;
inline constexpr absl::Duration kAuthorityLifetime = absl::Hours(24 * 3650);

// The public key of a PKCS#10 request (DER), as DER too. InvalidArgument, saying why: larger than kMaxCsrBytes, no
// request or more than one, a key that is neither ECDSA P-256 nor Ed25519, not signed by that key. What else the
// request asks for is not looked at.
absl::StatusOr<std::string> PublicKeyOfCsr(std::string_view csr);

struct CertificateFacts {
  absl::Time not_before;
  absl::Time not_after;
  // Lower-case hex.
  std::string serial;
  // URIs among its subject alternative names; a NUL inside is kept.
  std::vector<std::string> uris;
  bool is_authority = false;
  // False also where the certificate does not say: what it is for must be in it.
  bool may_sign = false;
  bool may_be_client = false;
};

// Of the first certificate in a PEM. InvalidArgument: there is none that can be read.
absl::StatusOr<CertificateFacts> ReadCertificate(std::string_view pem);
// Whether the key of the one certificate signed the other. False for what cannot be read.
bool IsSignedBy(std::string_view pem, std::string_view issuer_pem);

// What a leaf is to say: one URI, not a CA, digitalSignature, clientAuth, nothing else. It is valid from not_before to
// not_after, cut to the authority's own time.
struct LeafRequest {
  // As PublicKeyOfCsr gives it.
  std::string public_key;
  std::string spiffe_id;
  absl::Time not_before;
  absl::Time not_after;
};

class CertificateAuthority {
 public:
  // A new key, and a certificate for kAuthorityLifetime from not_before on: a CA that may sign leaves alone.
  static absl::StatusOr<CertificateAuthority> Make(const std::string& common_name, absl::Time not_before);
  // DataLoss: they cannot be read, or are not each other's.
  static absl::StatusOr<CertificateAuthority> Load(std::string_view certificate_pem, const SecretBytes& private_key);

  CertificateAuthority(CertificateAuthority&&) noexcept;
  CertificateAuthority& operator=(CertificateAuthority&&) noexcept;
  ~CertificateAuthority();

  const std::string& certificate_pem() const { return certificate_pem_; }
  // PKCS#8, DER.
  SecretBytes PrivateKey() const;

  // PEM, with a random 128-bit serial number. InvalidArgument: no public key, or nothing is left of its time.
  absl::StatusOr<std::string> Issue(const LeafRequest& request) const;

 private:
  struct Parts;
  explicit CertificateAuthority(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
  std::string certificate_pem_;
};

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_CERTIFICATE_H_

// A fresh ECDSA P-256 key pair and the PKCS#10 request that asks for a certificate of it. The request has no name: the
// API decides who this is.
//
// Thread safety: a pure function.
#ifndef KEYFERRY_CRYPTO_CERTIFICATE_REQUEST_H_
#define KEYFERRY_CRYPTO_CERTIFICATE_REQUEST_H_

#include <string>

#include "absl/status/statusor.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

struct CertificateRequest {
  // PKCS#8, PEM.
  SecretBytes private_key;
  // DER, signed by the key.
  std::string csr;
};

// Internal: OpenSSL could not.
absl::StatusOr<CertificateRequest> NewCertificateRequest();

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_CERTIFICATE_REQUEST_H_

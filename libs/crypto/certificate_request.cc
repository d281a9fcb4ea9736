#include "libs/crypto/certificate_request.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Request = std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)>;

absl::Status Failed() { return absl::InternalError("OpenSSL could not make a key pair and its certificate request"); }

absl::StatusOr<SecretBytes> ToPem(EVP_PKEY* key) {
  // Zeroes what it held.
  const Bio bio(BIO_new(BIO_s_secmem()), BIO_free);
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return Failed();
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return SecretBytes::Copy({data, static_cast<size_t>(size)});
}

absl::StatusOr<std::string> SignedRequest(EVP_PKEY* key) {
  const Request request(X509_REQ_new(), X509_REQ_free);
  if (request == nullptr || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_pubkey(request.get(), key) != 1 || X509_REQ_sign(request.get(), key, EVP_sha256()) == 0) {
    return Failed();
  }
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request.get(), &der);
  if (size <= 0) return Failed();
  std::string csr(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return csr;
}

}  // namespace

absl::StatusOr<CertificateRequest> NewCertificateRequest() {
  const PrivateKey key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  if (key == nullptr) return Failed();
  CertificateRequest request;
  ASSIGN_OR_RETURN(request.private_key, ToPem(key.get()));
  ASSIGN_OR_RETURN(request.csr, SignedRequest(key.get()));
  return request;
}

}  // namespace keyferry

#include "libs/rpc/testing/test_authority.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace keyferry {
namespace {

using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

// A test without its certificates is none.
void Must(bool condition) {
  if (!condition) std::abort();
}

PrivateKey NewKey() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

void SetName(X509_NAME* name, const std::string& common_name) {
  Must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name.c_str()),
                                  -1, -1, 0) == 1);
}

Certificate NewCertificate(EVP_PKEY* key, const std::string& common_name, int serial, absl::Time not_before,
                           absl::Time not_after) {
  Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), absl::ToTimeT(not_before));
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), absl::ToTimeT(not_after));
  X509_set_pubkey(certificate.get(), key);
  SetName(X509_get_subject_name(certificate.get()), common_name);
  return certificate;
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), X509_EXTENSION_free);
  Must(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void WriteCertificate(const std::string& path, X509* certificate) {
  const Bio bio(BIO_new_file(path.c_str(), "w"), BIO_free_all);
  Must(bio != nullptr && PEM_write_bio_X509(bio.get(), certificate) == 1);
}

void WriteKey(const std::string& path, EVP_PKEY* key) {
  const Bio bio(BIO_new_file(path.c_str(), "w"), BIO_free_all);
  Must(bio != nullptr && PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
}

std::string AlternativeNames(const std::vector<std::string>& uris) {
  std::vector<std::string> names = {"DNS:localhost", "IP:127.0.0.1"};
  for (const std::string& uri : uris) names.push_back(absl::StrCat("URI:", uri));
  return absl::StrJoin(names, ",");
}

}  // namespace

struct TestAuthority::Keys {
  PrivateKey key = NewKey();
  Certificate certificate{nullptr, X509_free};
};

TestAuthority::TestAuthority(std::string directory, std::string name)
    : directory_(std::move(directory)),
      name_(std::move(name)),
      roots_(absl::StrCat(directory_, "/", name_, "-roots.pem")),
      keys_(new Keys) {
  keys_->certificate =
      NewCertificate(keys_->key.get(), name_, serial_, absl::Now() - absl::Hours(24), absl::Now() + absl::Hours(24));
  X509* const certificate = keys_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  Must(X509_sign(certificate, keys_->key.get(), EVP_sha256()) > 0);
  WriteCertificate(roots_, certificate);
}

TestAuthority::~TestAuthority() = default;

TlsFiles TestAuthority::Issue(const TestCertificate& wanted) {
  const std::string stem = absl::StrCat(directory_, "/", name_, "-", ++serial_);
  const PrivateKey key = NewKey();
  const Certificate certificate = NewCertificate(key.get(), "leaf", serial_, wanted.not_before, wanted.not_after);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(keys_->certificate.get()));
  X509* const issuer = keys_->certificate.get();
  AddExtension(certificate.get(), issuer, NID_subject_alt_name, AlternativeNames(wanted.uris));
  AddExtension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature");
  AddExtension(certificate.get(), issuer, NID_ext_key_usage, "clientAuth,serverAuth");
  Must(X509_sign(certificate.get(), keys_->key.get(), EVP_sha256()) > 0);
  const TlsFiles files{.certificate_chain = stem + ".pem", .private_key = stem + "-key.pem", .roots = roots_};
  WriteCertificate(files.certificate_chain, certificate.get());
  WriteKey(files.private_key, key.get());
  return files;
}

}  // namespace keyferry

#include "libs/rpc/testing/forged_certificate.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>

namespace keyferry {
namespace {

using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;

// A test without its certificates is none.
void Must(bool condition) {
  if (!condition) std::abort();
}

Key NewKey(KeyKind kind) {
  EVP_PKEY* key = nullptr;
  if (kind == KeyKind::kP256) key = EVP_EC_gen("P-256");
  if (kind == KeyKind::kEd25519) key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (kind == KeyKind::kRsa1024) key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{1024});
  if (kind == KeyKind::kRsa2048) key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048});
  Must(key != nullptr);
  return {key, EVP_PKEY_free};
}

int TypeOf(NameKind kind) {
  switch (kind) {
    case NameKind::kUri:
      return GEN_URI;
    case NameKind::kDns:
      return GEN_DNS;
    case NameKind::kEmail:
      return GEN_EMAIL;
    case NameKind::kIp:
      return GEN_IPADD;
  }
  return GEN_URI;
}

void AddNames(X509* certificate, const Forged& forged) {
  if (forged.names.empty()) return;
  GENERAL_NAMES* const names = GENERAL_NAMES_new();
  for (const auto& [kind, bytes] : forged.names) {
    ASN1_STRING* const text = kind == NameKind::kIp ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    Must(ASN1_STRING_set(text, bytes.data(), static_cast<int>(bytes.size())) == 1);
    GENERAL_NAME* const name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, TypeOf(kind), text);
    Must(sk_GENERAL_NAME_push(names, name) > 0);
  }
  Must(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1);
  GENERAL_NAMES_free(names);
}

void AddExtension(X509* certificate, int nid, const std::optional<std::string>& value) {
  if (!value) return;
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value->c_str());
  Must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void AddUnknown(X509* certificate) {
  ASN1_OBJECT* const object = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
  ASN1_OCTET_STRING* const value = ASN1_OCTET_STRING_new();
  ASN1_STRING_set(value, "\x05\x00", 2);
  X509_EXTENSION* const extension = X509_EXTENSION_create_by_OBJ(nullptr, object, 1, value);
  Must(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(value);
  ASN1_OBJECT_free(object);
}

// Signed by `issuer_key`, or by its own where that is null.
Certificate NewCertificate(const Forged& forged, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  Certificate certificate(X509_new(), X509_free);
  X509* const self = certificate.get();
  uint64_t serial = 0;
  Must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), 7) == 1);
  X509_set_version(self, forged.version_1 ? X509_VERSION_1 : X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(self), serial);
  ASN1_TIME_set(X509_getm_notBefore(self), absl::ToTimeT(forged.not_before));
  ASN1_TIME_set(X509_getm_notAfter(self), absl::ToTimeT(forged.not_after));
  X509_set_pubkey(self, key);
  Must(X509_NAME_add_entry_by_txt(X509_get_subject_name(self), "CN", MBSTRING_ASC,
                                  reinterpret_cast<const unsigned char*>(forged.common_name.c_str()), -1, -1, 0) == 1);
  X509_set_issuer_name(self, X509_get_subject_name(issuer == nullptr ? self : issuer));
  if (!forged.version_1) {
    AddNames(self, forged);
    AddExtension(self, NID_basic_constraints, forged.constraints);
    AddExtension(self, NID_key_usage, forged.usage);
    AddExtension(self, NID_ext_key_usage, forged.extended_usage);
    if (forged.unknown_critical) AddUnknown(self);
  }
  EVP_PKEY* const signer = issuer_key == nullptr ? key : issuer_key;
  const EVP_MD* const digest = EVP_PKEY_is_a(signer, "ED25519") == 1 ? nullptr : forged.md5 ? EVP_md5() : EVP_sha256();
  Must(X509_sign(self, signer, digest) > 0);
  return certificate;
}

// The public half of one and the private half of the other, as a file may well hold them.
Key MixedKey(EVP_PKEY* public_half, EVP_PKEY* private_half) {
  unsigned char point[128];
  size_t size = 0;
  BIGNUM* number = nullptr;
  Must(EVP_PKEY_get_octet_string_param(public_half, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &size) == 1);
  Must(EVP_PKEY_get_bn_param(private_half, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1);
  OSSL_PARAM_BLD* const builder = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, size);
  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number);
  OSSL_PARAM* const parameters = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY* key = nullptr;
  Must(EVP_PKEY_fromdata_init(context) == 1 && EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) == 1);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(builder);
  BN_free(number);
  return {key, EVP_PKEY_free};
}

void WriteKey(const std::string& path, EVP_PKEY* key) {
  BIO* const file = BIO_new_file(path.c_str(), "w");
  Must(PEM_write_bio_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  BIO_free_all(file);
}

}  // namespace

struct Forger::Parts {
  Key key;
  // The leaf first.
  std::vector<Certificate> chain;
  bool is_root = false;
};

Forger::Forger(std::string directory, std::string name, std::unique_ptr<Parts> parts)
    : directory_(std::move(directory)), name_(std::move(name)), parts_(std::move(parts)) {}
Forger::Forger(std::string directory, std::string name, const Forged& root)
    : Forger(std::move(directory), std::move(name), std::make_unique<Parts>()) {
  parts_->key = NewKey(root.key);
  parts_->chain = {NewCertificate(root, parts_->key.get(), nullptr, nullptr)};
  parts_->is_root = true;
}
Forger::~Forger() = default;
Forger::Forger(Forger&&) noexcept = default;

Forger Forger::Issue(const std::string& name, const Forged& forged) const {
  auto parts = std::make_unique<Parts>();
  parts->key = NewKey(forged.key);
  parts->chain = {NewCertificate(forged, parts->key.get(), parts_->chain[0].get(), parts_->key.get())};
  if (!parts_->is_root) parts->chain.insert(parts->chain.end(), parts_->chain.begin(), parts_->chain.end());
  return Forger(directory_, name, std::move(parts));
}

TlsFiles Forger::files() const {
  TlsFiles files{.certificate_chain = directory_ + "/" + name_ + ".pem",
                 .private_key = directory_ + "/" + name_ + ".key",
                 .roots = ""};
  BIO* const chain = BIO_new_file(files.certificate_chain.c_str(), "w");
  for (const Certificate& certificate : parts_->chain) Must(PEM_write_bio_X509(chain, certificate.get()) == 1);
  BIO_free_all(chain);
  WriteKey(files.private_key, parts_->key.get());
  return files;
}

TlsFiles Forger::FilesWithKeyOf(const Forger& other) const {
  TlsFiles files = this->files();
  files.private_key += ".other";
  WriteKey(files.private_key, MixedKey(parts_->key.get(), other.parts_->key.get()).get());
  return files;
}

Forged AuthorityOf(const std::string& common_name) {
  return {.common_name = common_name,
          .not_after = absl::Now() + absl::Hours(24),
          .constraints = "critical,CA:TRUE",
          .usage = "critical,keyCertSign",
          .extended_usage = std::nullopt};
}

}  // namespace keyferry

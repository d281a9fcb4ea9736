#include "libs/crypto/certificate.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* pointer) const {
    kFree(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freed<PKCS8_PRIV_KEY_INFO_free>>;
using Request = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;

constexpr size_t kSerialBytes = 16;
constexpr int kSignatures[] = {NID_ecdsa_with_SHA256, NID_ecdsa_with_SHA384, NID_ED25519};

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// What OpenSSL has to say about a stranger's bytes helps nobody, and must not stand there for the next caller in this
// thread.
absl::Status Refused(absl::string_view why) {
  ERR_clear_error();
  return absl::InvalidArgumentError(why);
}

absl::Status Failed() {
  ERR_clear_error();
  return absl::InternalError("OpenSSL could not make a certificate");
}

Certificate ParsePem(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Certificate certificate(bio == nullptr ? nullptr : PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return certificate;
}

absl::StatusOr<std::string> ToPem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_X509(bio.get(), certificate) != 1) return Failed();
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

bool IsAllowed(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return true;
  char group[32] = "";
  int spelled_out = 0;
  return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof(group), nullptr) == 1 &&
         std::string_view(group) == SN_X9_62_prime256v1 &&
         EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &spelled_out) == 1 &&
         spelled_out == 0;
}

bool IsSound(EVP_PKEY* key) {
  const KeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  return context != nullptr && EVP_PKEY_public_check(context.get()) == 1;
}

Key ParsePublicKey(std::string_view der) {
  const unsigned char* next = Bytes(der);
  Key key(d2i_PUBKEY(nullptr, &next, static_cast<long>(der.size())));
  return key != nullptr && next == Bytes(der) + der.size() ? std::move(key) : nullptr;
}

absl::Status AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1 ? absl::OkStatus() : Failed();
}

absl::Status AddUri(X509* certificate, const std::string& uri) {
  const Names names(GENERAL_NAMES_new());
  GENERAL_NAME* const name = GENERAL_NAME_new();
  ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
  if (names == nullptr || name == nullptr || text == nullptr ||
      ASN1_STRING_set(text, uri.data(), static_cast<int>(uri.size())) != 1) {
    GENERAL_NAME_free(name);
    ASN1_IA5STRING_free(text);
    return Failed();
  }
  GENERAL_NAME_set0_value(name, GEN_URI, text);
  if (sk_GENERAL_NAME_push(names.get(), name) == 0) {
    GENERAL_NAME_free(name);
    return Failed();
  }
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1 ? absl::OkStatus() : Failed();
}

absl::Status SetCommonName(X509* certificate, const std::string& name) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, Bytes(name), static_cast<int>(name.size()),
                                    -1, 0) == 1
             ? absl::OkStatus()
             : Failed();
}

// Everything but names and extensions.
absl::StatusOr<Certificate> NewCertificate(EVP_PKEY* key, absl::Time not_before, absl::Time not_after) {
  Certificate certificate(X509_new());
  const std::string serial = RandomBytes(kSerialBytes);
  const Number number(BN_bin2bn(Bytes(serial), kSerialBytes, nullptr));
  if (certificate == nullptr || number == nullptr || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get())) == nullptr ||
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), absl::ToTimeT(not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), absl::ToTimeT(not_after)) == nullptr ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return Failed();
  }
  return certificate;
}

absl::StatusOr<absl::Time> TimeOf(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return Refused("the certificate's times cannot be read");
  return absl::FromTM(fields, absl::UTCTimeZone());
}

absl::StatusOr<std::string> SerialOf(X509* certificate) {
  const Number number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  char* const hex = number == nullptr ? nullptr : BN_bn2hex(number.get());
  if (hex == nullptr) return Refused("the certificate's serial number cannot be read");
  std::string serial(hex);
  OPENSSL_free(hex);
  std::transform(serial.begin(), serial.end(), serial.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
  return serial;
}

std::vector<std::string> UrisOf(X509* certificate) {
  std::vector<std::string> uris;
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_STRING* const text = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                      static_cast<size_t>(ASN1_STRING_length(text)));
  }
  return uris;
}

}  // namespace

absl::StatusOr<std::string> PublicKeyOfCsr(std::string_view csr) {
  if (csr.size() > kMaxCsrBytes)
    return Refused(absl::StrCat("has ", csr.size(), " bytes, at most ", kMaxCsrBytes, " are allowed"));
  const unsigned char* next = Bytes(csr);
  const Request request(d2i_X509_REQ(nullptr, &next, static_cast<long>(csr.size())));
  if (request == nullptr || next != Bytes(csr) + csr.size()) return Refused("must be one PKCS#10 request in DER");
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || !IsAllowed(key) || !IsSound(key))
    return Refused("its key must be ECDSA on P-256, as a named curve, or Ed25519");
  if (std::ranges::find(kSignatures, X509_REQ_get_signature_nid(request.get())) == std::end(kSignatures)) {
    return Refused("must be signed with ECDSA and SHA-256 or SHA-384, or with Ed25519");
  }
  if (X509_REQ_verify(request.get(), key) != 1) return Refused("is not signed by the key in it");
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return Refused("its key cannot be read");
  std::string public_key(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return public_key;
}

absl::StatusOr<CertificateFacts> ReadCertificate(std::string_view pem) {
  const Certificate certificate = ParsePem(pem);
  if (certificate == nullptr) return Refused("there is no certificate that can be read");
  CertificateFacts facts;
  ASSIGN_OR_RETURN(facts.not_before, TimeOf(X509_get0_notBefore(certificate.get())));
  ASSIGN_OR_RETURN(facts.not_after, TimeOf(X509_get0_notAfter(certificate.get())));
  ASSIGN_OR_RETURN(facts.serial, SerialOf(certificate.get()));
  facts.uris = UrisOf(certificate.get());
  const uint32_t flags = X509_get_extension_flags(certificate.get());
  if ((flags & (EXFLAG_INVALID | EXFLAG_CRITICAL)) != 0)
    return Refused("the certificate has an extension that cannot be read");
  // OpenSSL calls none an authority that says so without keyCertSign.
  facts.is_authority = (flags & EXFLAG_CA) != 0 || X509_check_ca(certificate.get()) != 0;
  facts.may_sign = (flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(certificate.get()) & KU_DIGITAL_SIGNATURE) != 0;
  facts.may_be_client =
      (flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(certificate.get()) & XKU_SSL_CLIENT) != 0;
  return facts;
}

bool IsSignedBy(std::string_view pem, std::string_view issuer_pem) {
  const Certificate certificate = ParsePem(pem), issuer = ParsePem(issuer_pem);
  const bool is = certificate != nullptr && issuer != nullptr &&
                  X509_verify(certificate.get(), X509_get0_pubkey(issuer.get())) == 1;
  ERR_clear_error();
  return is;
}

struct CertificateAuthority::Parts {
  Certificate certificate;
  Key key;
};

CertificateAuthority::CertificateAuthority(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CertificateAuthority::CertificateAuthority(CertificateAuthority&&) noexcept = default;
CertificateAuthority& CertificateAuthority::operator=(CertificateAuthority&&) noexcept = default;
CertificateAuthority::~CertificateAuthority() = default;

absl::StatusOr<CertificateAuthority> CertificateAuthority::Make(const std::string& common_name, absl::Time not_before) {
  Key key(EVP_EC_gen(SN_X9_62_prime256v1));
  if (key == nullptr) return Failed();
  ASSIGN_OR_RETURN(Certificate certificate, NewCertificate(key.get(), not_before, not_before + kAuthorityLifetime));
  X509* const self = certificate.get();
  RETURN_IF_ERROR(SetCommonName(self, common_name));
  if (X509_set_issuer_name(self, X509_get_subject_name(self)) != 1) return Failed();
  RETURN_IF_ERROR(AddExtension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  RETURN_IF_ERROR(AddExtension(self, self, NID_key_usage, "critical,keyCertSign"));
  RETURN_IF_ERROR(AddExtension(self, self, NID_subject_key_identifier, "hash"));
  if (X509_sign(self, key.get(), EVP_sha256()) == 0) return Failed();
  CertificateAuthority made(std::make_unique<Parts>(Parts{std::move(certificate), std::move(key)}));
  ASSIGN_OR_RETURN(made.certificate_pem_, ToPem(made.parts_->certificate.get()));
  return made;
}

absl::StatusOr<CertificateAuthority> CertificateAuthority::Load(std::string_view certificate_pem,
                                                                const SecretBytes& private_key) {
  const unsigned char* next = Bytes(private_key.Access());
  const Pkcs8 pkcs8(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &next, static_cast<long>(private_key.size())));
  Key key(pkcs8 == nullptr ? nullptr : EVP_PKCS82PKEY(pkcs8.get()));
  Certificate certificate = ParsePem(certificate_pem);
  if (key == nullptr || certificate == nullptr || X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return absl::DataLossError(
        "the certificate authority's certificate and key cannot be read, or are not each other's; restore a backup");
  }
  CertificateAuthority loaded(std::make_unique<Parts>(Parts{std::move(certificate), std::move(key)}));
  ASSIGN_OR_RETURN(loaded.certificate_pem_, ToPem(loaded.parts_->certificate.get()));
  return loaded;
}

SecretBytes CertificateAuthority::PrivateKey() const {
  const Pkcs8 pkcs8(EVP_PKEY2PKCS8(parts_->key.get()));
  unsigned char* der = nullptr;
  const int size = pkcs8 == nullptr ? 0 : i2d_PKCS8_PRIV_KEY_INFO(pkcs8.get(), &der);
  if (size <= 0) return SecretBytes();
  SecretBytes key = SecretBytes::Copy({reinterpret_cast<char*>(der), static_cast<size_t>(size)});
  OPENSSL_clear_free(der, static_cast<size_t>(size));
  return key;
}

absl::StatusOr<std::string> CertificateAuthority::Issue(const LeafRequest& request) const {
  const Key key = ParsePublicKey(request.public_key);
  if (key == nullptr) return Refused("this is no public key");
  X509* const issuer = parts_->certificate.get();
  ASSIGN_OR_RETURN(const absl::Time first, TimeOf(X509_get0_notBefore(issuer)));
  ASSIGN_OR_RETURN(const absl::Time last, TimeOf(X509_get0_notAfter(issuer)));
  const absl::Time not_before = std::max(request.not_before, first), not_after = std::min(request.not_after, last);
  if (not_before >= not_after) return Refused("nothing is left of the certificate's time");
  ASSIGN_OR_RETURN(const Certificate leaf, NewCertificate(key.get(), not_before, not_after));
  RETURN_IF_ERROR(SetCommonName(leaf.get(), "keyferry provisioner"));
  if (X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer)) != 1) return Failed();
  RETURN_IF_ERROR(AddUri(leaf.get(), request.spiffe_id));
  RETURN_IF_ERROR(AddExtension(leaf.get(), issuer, NID_basic_constraints, "critical,CA:FALSE"));
  RETURN_IF_ERROR(AddExtension(leaf.get(), issuer, NID_key_usage, "critical,digitalSignature"));
  RETURN_IF_ERROR(AddExtension(leaf.get(), issuer, NID_ext_key_usage, "clientAuth"));
  RETURN_IF_ERROR(AddExtension(leaf.get(), issuer, NID_authority_key_identifier, "keyid"));
  if (X509_sign(leaf.get(), parts_->key.get(), EVP_sha256()) == 0) return Failed();
  return ToPem(leaf.get());
}

}  // namespace keyferry

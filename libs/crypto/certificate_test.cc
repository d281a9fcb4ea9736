#include "libs/crypto/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <random>

#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/certificate_request.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kId[] = "spiffe://keyferry.test/region/us-west/provisioner/p1";
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Key Curve(const char* name) { return {EVP_EC_gen(name), EVP_PKEY_free}; }
Key Ed25519() { return {EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free}; }
Key Rsa(size_t bits) { return {EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits), EVP_PKEY_free}; }

// P-256 with its parameters spelled out instead of its name.
Key SpelledOutCurve() {
  EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY_keygen_init(context);
  EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1);
  EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_EXPLICIT_CURVE);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_generate(context, &key);
  EVP_PKEY_CTX_free(context);
  return {key, EVP_PKEY_free};
}

// A request for `key`, signed by `signer`.
std::string Csr(EVP_PKEY* key, EVP_PKEY* signer, const EVP_MD* digest = EVP_sha256(), size_t name_bytes = 0) {
  X509_REQ* const request = X509_REQ_new();
  X509_REQ_set_pubkey(request, key);
  // The one kind of name without a limit of its own.
  const std::string name(name_bytes, 'n');
  if (!name.empty()) {
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "DC", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.data()), static_cast<int>(name.size()), -1,
                               0);
  }
  X509_REQ_sign(request, signer, digest);
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request, &der);
  std::string csr(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  X509_REQ_free(request);
  return csr;
}

std::string Csr(const Key& key) {
  return Csr(key.get(), key.get(), EVP_PKEY_is_a(key.get(), "ED25519") == 1 ? nullptr : EVP_sha256());
}

class CertificateTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::string> Issue(absl::Time not_before, absl::Time not_after) const {
    return authority_.Issue(
        {.public_key = *PublicKeyOfCsr(csr_), .spiffe_id = kId, .not_before = not_before, .not_after = not_after});
  }

  const CertificateAuthority authority_ = *CertificateAuthority::Make("an authority", kNow - absl::Minutes(5));
  const std::string csr_ = NewCertificateRequest()->csr;
};

TEST_F(CertificateTest, RequestsOfP256AndEd25519AreAccepted) {
  EXPECT_THAT(PublicKeyOfCsr(csr_), IsOk());
  EXPECT_THAT(PublicKeyOfCsr(Csr(Curve("P-256"))), IsOk());
  EXPECT_THAT(PublicKeyOfCsr(Csr(Ed25519())), IsOk());
}

TEST_F(CertificateTest, RequestsOfOtherKeysAreRefused) {
  for (const auto& csr : {Csr(Rsa(1024)), Csr(Rsa(2048)), Csr(Curve("P-384")), Csr(Curve("P-224")),
                          Csr(Curve("secp256k1")), Csr(SpelledOutCurve())}) {
    const auto key = PublicKeyOfCsr(csr);
    EXPECT_THAT(key, StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(std::string(key.status().message()), HasSubstr("P-256"));
  }
}

TEST_F(CertificateTest, ARequestSignedByAnotherKeyIsRefused) {
  const Key mine = Curve("P-256"), others = Curve("P-256"), edwards = Ed25519();
  EXPECT_THAT(PublicKeyOfCsr(Csr(mine.get(), others.get())), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKeyOfCsr(Csr(mine.get(), edwards.get(), nullptr)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(CertificateTest, AWeakDigestIsRefused) {
  const Key key = Curve("P-256");
  EXPECT_THAT(PublicKeyOfCsr(Csr(key.get(), key.get(), EVP_sha1())), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(CertificateTest, EveryTruncationIsRefused) {
  for (size_t size = 0; size < csr_.size(); ++size) {
    EXPECT_THAT(PublicKeyOfCsr(std::string_view(csr_).substr(0, size)), StatusIs(absl::StatusCode::kInvalidArgument))
        << size;
  }
}

TEST_F(CertificateTest, EveryFlippedBitIsRefused) {
  for (size_t bit = 0; bit < csr_.size() * 8; ++bit) {
    std::string flipped = csr_;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_THAT(PublicKeyOfCsr(flipped), StatusIs(absl::StatusCode::kInvalidArgument)) << "bit " << bit;
  }
}

TEST_F(CertificateTest, TrailingBytesAreRefused) {
  EXPECT_THAT(PublicKeyOfCsr(csr_ + std::string(1, '\0')), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKeyOfCsr(csr_ + csr_), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(CertificateTest, NoiseIsRefused) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::minstd_rand random(seed);
  for (int i = 0; i < 2000; ++i) {
    std::string noise(random() % 512, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    EXPECT_THAT(PublicKeyOfCsr(noise), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST_F(CertificateTest, ARequestOf4096BytesIsTakenAndOneOf4097Not) {
  // Its signatures are all of one length.
  const Key key = Ed25519();
  const size_t rest = Csr(key.get(), key.get(), nullptr, 3000).size() - 3000;
  const auto of_size = [&](size_t size) { return Csr(key.get(), key.get(), nullptr, size - rest); };
  const std::string at_limit = of_size(kMaxCsrBytes), above = of_size(kMaxCsrBytes + 1);
  ASSERT_EQ(at_limit.size(), kMaxCsrBytes);
  ASSERT_EQ(above.size(), kMaxCsrBytes + 1);
  EXPECT_THAT(PublicKeyOfCsr(at_limit), IsOk());
  const auto refused = PublicKeyOfCsr(above);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("4097"));
  EXPECT_THAT(PublicKeyOfCsr(std::string(1 << 20, '0')), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(CertificateTest, ALeafSaysWhatItIsForAndNothingElse) {
  const auto leaf = Issue(kNow - absl::Minutes(1), kNow + absl::Hours(1));
  ASSERT_THAT(leaf, IsOk());
  const auto facts = ReadCertificate(*leaf);
  ASSERT_THAT(facts, IsOk());
  EXPECT_THAT(facts->uris, ElementsAre(kId));
  EXPECT_FALSE(facts->is_authority);
  EXPECT_TRUE(facts->may_sign);
  EXPECT_TRUE(facts->may_be_client);
  EXPECT_EQ(facts->not_before, kNow - absl::Minutes(1));
  EXPECT_EQ(facts->not_after, kNow + absl::Hours(1));
  EXPECT_TRUE(IsSignedBy(*leaf, authority_.certificate_pem()));
}

TEST_F(CertificateTest, SerialNumbersAreRandom) {
  const std::string first = ReadCertificate(*Issue(kNow, kNow + absl::Hours(1)))->serial,
                    second = ReadCertificate(*Issue(kNow, kNow + absl::Hours(1)))->serial;
  EXPECT_NE(first, second);
  EXPECT_GE(first.size(), 24u);
  EXPECT_LE(first.size(), 34u);
}

TEST_F(CertificateTest, TheAuthorityIsACaForTenYears) {
  const auto facts = ReadCertificate(authority_.certificate_pem());
  ASSERT_THAT(facts, IsOk());
  EXPECT_TRUE(facts->is_authority);
  EXPECT_FALSE(facts->may_sign);
  EXPECT_THAT(facts->uris, IsEmpty());
  EXPECT_EQ(facts->not_after - facts->not_before, kAuthorityLifetime);
  EXPECT_TRUE(IsSignedBy(authority_.certificate_pem(), authority_.certificate_pem()));
}

TEST_F(CertificateTest, ALeafNeverOutlivesItsAuthority) {
  const absl::Time first = kNow - absl::Minutes(5), last = first + kAuthorityLifetime;
  const auto facts = ReadCertificate(*Issue(first - absl::Hours(1), last + absl::Hours(1)));
  EXPECT_EQ(facts->not_before, first);
  EXPECT_EQ(facts->not_after, last);
  EXPECT_THAT(Issue(last, last + absl::Hours(1)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Issue(first - absl::Hours(2), first - absl::Hours(1)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(CertificateTest, AnAuthorityIsLoadedFromItsParts) {
  const auto loaded = CertificateAuthority::Load(authority_.certificate_pem(), authority_.PrivateKey());
  ASSERT_THAT(loaded, IsOk());
  EXPECT_EQ(loaded->certificate_pem(), authority_.certificate_pem());
  const auto leaf = loaded->Issue(
      {.public_key = *PublicKeyOfCsr(csr_), .spiffe_id = kId, .not_before = kNow, .not_after = kNow + absl::Hours(1)});
  EXPECT_TRUE(IsSignedBy(*leaf, authority_.certificate_pem()));
}

TEST_F(CertificateTest, AnAuthoritysPartsMustBelongTogether) {
  const auto other = CertificateAuthority::Make("an authority", kNow);
  EXPECT_THAT(CertificateAuthority::Load(authority_.certificate_pem(), other->PrivateKey()),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(CertificateAuthority::Load("", authority_.PrivateKey()), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(CertificateAuthority::Load(authority_.certificate_pem(), SecretBytes::Copy("no key")),
              StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(CertificateTest, AnotherAuthorityOfTheNameDidNotSign) {
  const auto other = CertificateAuthority::Make("an authority", kNow);
  EXPECT_FALSE(IsSignedBy(*Issue(kNow, kNow + absl::Hours(1)), other->certificate_pem()));
  EXPECT_FALSE(IsSignedBy("", authority_.certificate_pem()));
  EXPECT_FALSE(IsSignedBy(*Issue(kNow, kNow + absl::Hours(1)), "no certificate"));
}

TEST_F(CertificateTest, WhatIsNoCertificateIsNotRead) {
  for (const char* pem : {"", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    EXPECT_THAT(ReadCertificate(pem), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace keyferry

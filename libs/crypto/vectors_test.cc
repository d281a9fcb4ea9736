// The primitives against published vectors; testing/vectors names the sources.
#include "libs/crypto/testing/vectors.h"

#include <gtest/gtest.h>

#include "libs/crypto/aead.h"
#include "libs/crypto/x25519.h"
#include "libs/crypto/xchacha.h"

namespace keyferry {
namespace {

TEST(VectorsTest, HkdfGivesThePublishedOutputs) {
  const std::vector<TestVector> vectors = ReadVectors("hkdf_sha256.txt");
  ASSERT_EQ(vectors.size(), 26u);
  for (const TestVector& vector : vectors) {
    const auto& [key, salt, info, output] =
        std::tie(vector.fields[0], vector.fields[1], vector.fields[2], vector.fields[3]);
    EXPECT_EQ(HkdfSha256(key, salt, info, output.size()).Access(), output) << vector.id;
  }
}

TEST(VectorsTest, HkdfGivesOneToEightThousandOneHundredSixtyBytes) {
  EXPECT_EQ(HkdfSha256("key", "salt", "info", 1).size(), 1u);
  EXPECT_EQ(HkdfSha256("key", "salt", "info", 255 * 32).size(), 8160u);
  EXPECT_DEATH(HkdfSha256("key", "salt", "info", 0), "1 to 8160 bytes");
  EXPECT_DEATH(HkdfSha256("key", "salt", "info", 255 * 32 + 1), "1 to 8160 bytes");
}

TEST(VectorsTest, XChaChaSealsAndOpensThePublishedCiphertexts) {
  const std::vector<TestVector> vectors = ReadVectors("xchacha20_poly1305.txt");
  ASSERT_EQ(vectors.size(), 33u);
  for (const TestVector& vector : vectors) {
    const SecretBytes key = SecretBytes::Copy(vector.fields[0]);
    const std::string sealed = vector.fields[4] + vector.fields[5];
    std::string out = "before";
    SealXChaCha(out, key, vector.fields[1], vector.fields[3], vector.fields[2]);
    EXPECT_EQ(out, "before" + sealed) << vector.id;
    const auto opened = OpenXChaCha(key, vector.fields[1], sealed, vector.fields[2]);
    ASSERT_TRUE(opened.has_value()) << vector.id;
    EXPECT_EQ(opened->Access(), vector.fields[3]) << vector.id;
  }
}

// The invalid cases of the same suite: each changes one thing of a valid one.
TEST(VectorsTest, XChaChaRefusesEveryModifiedTagNonceSizeAndAssociatedData) {
  for (const TestVector& vector : ReadVectors("xchacha20_poly1305.txt")) {
    const SecretBytes key = SecretBytes::Copy(vector.fields[0]);
    const std::string& nonce = vector.fields[1];
    const std::string sealed = vector.fields[4] + vector.fields[5];
    for (size_t bit = 0; bit < 8 * kTagBytes; ++bit) {
      std::string changed = sealed;
      changed[sealed.size() - kTagBytes + bit / 8] ^= static_cast<char>(1 << bit % 8);
      EXPECT_FALSE(OpenXChaCha(key, nonce, changed, vector.fields[2]).has_value()) << vector.id << " bit " << bit;
    }
    for (const size_t size : {0, 8, 12, 20, 23, 25, 32}) {
      std::string other_nonce = nonce;
      other_nonce.resize(size);
      EXPECT_FALSE(OpenXChaCha(key, other_nonce, sealed, vector.fields[2]).has_value())
          << vector.id << " nonce of " << size;
    }
    EXPECT_FALSE(OpenXChaCha(key, nonce, sealed, vector.fields[2] + '\0').has_value()) << vector.id;
    EXPECT_FALSE(OpenXChaCha(key, nonce, sealed.substr(0, sealed.size() - 1), vector.fields[2]).has_value())
        << vector.id;
  }
}

TEST(VectorsTest, X25519GivesThePublishedSecretsAndRefusesLowOrder) {
  const std::vector<TestVector> vectors = ReadVectors("x25519.txt");
  ASSERT_EQ(vectors.size(), 27u);
  for (const TestVector& vector : vectors) {
    const auto shared = X25519SharedSecret(SecretBytes::Copy(vector.fields[0]), vector.fields[1]);
    ASSERT_EQ(shared.has_value(), !vector.fields[2].empty()) << vector.id;
    if (shared) {
      EXPECT_EQ(shared->Access(), vector.fields[2]) << vector.id;
    }
  }
}

TEST(VectorsTest, X25519DerivesThePublicKeysOfRfc7748Section61) {
  EXPECT_EQ(
      X25519PublicKey(SecretBytes::Copy(FromHex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))),
      FromHex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
  EXPECT_EQ(
      X25519PublicKey(SecretBytes::Copy(FromHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))),
      FromHex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
}

TEST(VectorsTest, X25519SurvivesTheThousandIterationsOfRfc7748Section52) {
  std::string k(32, '\0');
  k[0] = 9;
  std::string u = k;
  for (int i = 1; i <= 1000; ++i) {
    std::string next(X25519SharedSecret(SecretBytes::Copy(k), u)->Access());
    u = std::exchange(k, std::move(next));
    if (i == 1) {
      EXPECT_EQ(k, FromHex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
    }
  }
  EXPECT_EQ(k, FromHex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

TEST(VectorsTest, HmacAndSha256GiveThePublishedOutputs) {
  // RFC 4231 test case 2; FIPS 180-4's "abc".
  EXPECT_EQ(HmacSha256(SecretBytes::Copy("Jefe"), "what do ya want for nothing?"),
            FromHex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
  EXPECT_EQ(Sha256("abc"), FromHex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

}  // namespace
}  // namespace keyferry

#include "libs/crypto/signature.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace keyferry {
namespace {

// RFC 8032, section 7.1, test 2.
const std::string kSeed = absl::HexStringToBytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
const std::string kPublicKey =
    absl::HexStringToBytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
const std::string kSignature = absl::HexStringToBytes(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb0"
    "0d291612bb0c00");

TEST(SignatureTest, AgreesWithRfc8032) {
  const SigningKey key = SigningKey::FromSeed(SecretBytes::Copy(kSeed));
  EXPECT_EQ(key.public_key(), kPublicKey);
  EXPECT_EQ(key.Sign("\x72"), kSignature);
  EXPECT_TRUE(IsSignedBy(kPublicKey, "\x72", kSignature));
}

TEST(SignatureTest, NoBitOfMessageSignatureOrKeyCanChange) {
  EXPECT_FALSE(IsSignedBy(kPublicKey, "\x73", kSignature));
  for (size_t bit = 0; bit < kSignatureBytes * 8; ++bit) {
    std::string signature = kSignature;
    signature[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_FALSE(IsSignedBy(kPublicKey, "\x72", signature)) << bit;
  }
  for (size_t bit = 0; bit < kVerifyKeyBytes * 8; ++bit) {
    std::string key = kPublicKey;
    key[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_FALSE(IsSignedBy(key, "\x72", kSignature)) << bit;
  }
}

TEST(SignatureTest, AKeyOrASignatureOfAnotherSizeIsRefused) {
  EXPECT_FALSE(IsSignedBy(kPublicKey.substr(1), "\x72", kSignature));
  EXPECT_FALSE(IsSignedBy(kPublicKey, "\x72", kSignature.substr(1)));
  EXPECT_FALSE(IsSignedBy(kPublicKey, "\x72", kSignature + "x"));
  EXPECT_FALSE(IsSignedBy("", "\x72", ""));
}

}  // namespace
}  // namespace keyferry

#include "libs/crypto/aead.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/testing/vectors.h"
#include "libs/crypto/xchacha.h"

namespace keyferry {
namespace {

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr size_t kSaltAt = 2;
constexpr size_t kCommitmentAt = kSaltAt + kSaltBytes;
constexpr size_t kNonceAt = kCommitmentAt + kCommitmentBytes;

class AeadTest : public ::testing::Test {
 protected:
  const SecretBytes key_ = SecretBytes::Copy(std::string(kKeyBytes, 1));
  const SecretBytes other_key_ = SecretBytes::Copy(std::string(kKeyBytes, 2));
};

std::string Flipped(std::string bytes, size_t at, int bit) {
  bytes[at] ^= static_cast<char>(1 << bit);
  return bytes;
}

TEST_F(AeadTest, AFrameOpensUnderItsKeyAndPlace) {
  for (const size_t size : {0, 1, 63, 64, 65, 65536}) {
    const std::string plaintext(size, 'p');
    const std::string frame = SealFrame(key_, plaintext, "place");
    EXPECT_EQ(frame.size(), size + kFrameOverheadBytes);
    const auto opened = OpenFrame(key_, frame, "place");
    ASSERT_THAT(opened, IsOk());
    EXPECT_EQ(opened->Access(), plaintext);
  }
}

TEST_F(AeadTest, AFrameIsBuiltAsTheDocumentSays) {
  const std::string frame = SealFrame(key_, "plain", "place");
  EXPECT_EQ(frame.substr(0, 2), std::string("\x01\x01"));
  const SecretBytes expanded =
      HkdfSha256(key_.Access(), frame.substr(kSaltAt, kSaltBytes), "keyferry/aead/v1\x01\x01", 64);
  EXPECT_EQ(expanded.Access().substr(32), frame.substr(kCommitmentAt, kCommitmentBytes));
  const auto opened =
      OpenXChaCha(SecretBytes::Copy(expanded.Access().substr(0, 32)), frame.substr(kNonceAt, kNonceBytes),
                  frame.substr(kNonceAt + kNonceBytes), std::string("\0\0\0\1\1\0\0\0\1\1\0\0\0\5place", 19));
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->Access(), "plain");
}

// What is on a disk must stay readable.
TEST_F(AeadTest, AGoldenFrameStillOpens) {
  const std::vector<TestVector> vectors = ReadVectors("golden_frame.txt");
  ASSERT_EQ(vectors.size(), 1u);
  const auto opened = OpenFrame(key_, vectors[0].fields[0], "place");
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->Access(), "golden");
}

TEST_F(AeadTest, EveryFlippedBitOfAFrameIsDataLossInTheSameWords) {
  const std::string frame = SealFrame(key_, "plaintext", "place");
  for (size_t at = 0; at < frame.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      EXPECT_EQ(OpenFrame(key_, Flipped(frame, at, bit), "place").status(), DoesNotOpen())
          << "byte " << at << " bit " << bit;
    }
  }
}

TEST_F(AeadTest, EveryTruncationAndExtensionIsDataLoss) {
  const std::string frame = SealFrame(key_, "plaintext", "place");
  for (size_t size = 0; size < frame.size(); ++size) {
    EXPECT_EQ(OpenFrame(key_, frame.substr(0, size), "place").status(), DoesNotOpen()) << size;
  }
  EXPECT_EQ(OpenFrame(key_, frame + '\0', "place").status(), DoesNotOpen());
}

TEST_F(AeadTest, AnotherKeyOrPlaceIsDataLoss) {
  const std::string frame = SealFrame(key_, "plaintext", "place");
  EXPECT_EQ(OpenFrame(other_key_, frame, "place").status(), DoesNotOpen());
  EXPECT_EQ(OpenFrame(key_, frame, "places").status(), DoesNotOpen());
  EXPECT_EQ(OpenFrame(key_, frame, "").status(), DoesNotOpen());
  EXPECT_EQ(OpenFrame(SecretBytes::Copy("short"), frame, "place").status(), DoesNotOpen());
  EXPECT_EQ(OpenFrame(SecretBytes(), frame, "place").status(), DoesNotOpen());
}

TEST_F(AeadTest, AnUnknownVersionOrSuiteIsDataLossEvenWhenEverythingElseFits) {
  const std::string frame = SealFrame(key_, "plaintext", "place");
  for (int value = 0; value < 256; ++value) {
    for (const size_t at : {0, 1}) {
      std::string changed = frame;
      changed[at] = static_cast<char>(value);
      EXPECT_EQ(OpenFrame(key_, changed, "place").ok(), value == 1) << "byte " << at << " value " << value;
    }
  }
}

TEST_F(AeadTest, AForgedCommitmentIsDataLoss) {
  const std::string frame = SealFrame(key_, "plaintext", "place");
  for (const std::string& forged :
       {std::string(kCommitmentBytes, '\0'), RandomBytes(kCommitmentBytes), CommittedKey::Create(key_).commitment()}) {
    std::string changed = frame;
    changed.replace(kCommitmentAt, kCommitmentBytes, forged);
    EXPECT_EQ(OpenFrame(key_, changed, "place").status(), DoesNotOpen());
  }
}

TEST_F(AeadTest, SaltAndCommitmentOfAnotherFrameOfTheSameKeyAreDataLoss) {
  const std::string frame = SealFrame(key_, "plaintext", "place");
  const std::string other = SealFrame(key_, "plaintext", "place");
  std::string spliced = frame;
  spliced.replace(kSaltAt, kSaltBytes + kCommitmentBytes, other, kSaltAt, kSaltBytes + kCommitmentBytes);
  EXPECT_EQ(OpenFrame(key_, spliced, "place").status(), DoesNotOpen());
}

// The bare cipher opens this ciphertext under the expansions of two keys; that is what the commitment is for.
TEST_F(AeadTest, ACiphertextThatOpensUnderTwoKeysOpensUnderTheCommittedOneOnly) {
  const std::vector<TestVector> vectors = ReadVectors("two_keys.txt");
  ASSERT_EQ(vectors.size(), 1u);
  const std::string& nonce = vectors[0].fields[0];
  const std::string ciphertext = vectors[0].fields[1] + vectors[0].fields[2];
  const std::string salt(kSaltBytes, 3);
  const std::string bound = JoinParts({"\x01", "\x01", "ad"});
  std::string commitment;
  for (const SecretBytes* key : {&other_key_, &key_}) {
    const SecretBytes expanded = HkdfSha256(key->Access(), salt, "keyferry/aead/v1\x01\x01", 64);
    ASSERT_TRUE(OpenXChaCha(SecretBytes::Copy(expanded.Access().substr(0, 32)), nonce, ciphertext, bound).has_value());
    commitment = expanded.Access().substr(32);
  }
  const std::string frame = std::string("\x01\x01") + salt + commitment + nonce + ciphertext;
  EXPECT_THAT(OpenFrame(key_, frame, "ad"), IsOk());
  EXPECT_EQ(OpenFrame(other_key_, frame, "ad").status(), DoesNotOpen());
}

TEST_F(AeadTest, TenThousandRandomFramesAreDataLoss) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 10'000; ++i) {
    std::string frame(random() % 300, '\0');
    for (char& byte : frame) byte = static_cast<char>(random());
    if (frame.size() >= 2 && i % 2 == 0) frame[0] = frame[1] = 1;
    ASSERT_THAT(OpenFrame(key_, frame, "place"), StatusIs(kDataLoss));
  }
}

TEST_F(AeadTest, NoncesNeverRepeatInAHundredThousand) {
  const CommittedKey committed = CommittedKey::Create(key_);
  std::set<std::string> nonces;
  for (int i = 0; i < 100'000; ++i) nonces.insert(committed.Seal("", "").substr(0, kNonceBytes));
  EXPECT_EQ(nonces.size(), 100'000u);
}

TEST_F(AeadTest, ACommittedKeyOpensWhatItsTwinSealed) {
  const CommittedKey sealer = CommittedKey::Create(key_);
  const auto opener = CommittedKey::Open(key_, sealer.salt(), sealer.commitment());
  ASSERT_THAT(opener, IsOk());
  const auto opened = opener->Open(sealer.Seal("plain", "place"), "place");
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->Access(), "plain");
}

TEST_F(AeadTest, ACommittedKeyRefusesOtherKeysSaltsAndSizes) {
  const CommittedKey sealer = CommittedKey::Create(key_);
  const std::string& salt = sealer.salt();
  const std::string& commitment = sealer.commitment();
  EXPECT_EQ(CommittedKey::Open(other_key_, salt, commitment).status(), DoesNotOpen());
  EXPECT_EQ(CommittedKey::Open(SecretBytes::Copy("short"), salt, commitment).status(), DoesNotOpen());
  EXPECT_EQ(CommittedKey::Open(key_, RandomBytes(kSaltBytes), commitment).status(), DoesNotOpen());
  EXPECT_EQ(CommittedKey::Open(key_, salt.substr(1), commitment).status(), DoesNotOpen());
  EXPECT_EQ(CommittedKey::Open(key_, salt + "x", commitment).status(), DoesNotOpen());
  EXPECT_EQ(CommittedKey::Open(key_, salt, commitment.substr(1)).status(), DoesNotOpen());
  EXPECT_EQ(CommittedKey::Open(key_, salt, "").status(), DoesNotOpen());
}

TEST_F(AeadTest, AKeyOfAnotherSizeAborts) {
  EXPECT_DEATH(CommittedKey::Create(SecretBytes(31)), "32 bytes");
  EXPECT_DEATH(SealFrame(SecretBytes(33), "plaintext", "place"), "32 bytes");
}

TEST_F(AeadTest, JoinPartsGivesEveryListItsOwnBytes) {
  EXPECT_EQ(JoinParts({}), "");
  EXPECT_EQ(JoinParts({"ab", ""}), std::string("\0\0\0\2ab\0\0\0\0", 10));
  const std::set<std::string> joined = {
      JoinParts({}),         JoinParts({""}),       JoinParts({"", ""}),
      JoinParts({"ab"}),     JoinParts({"a", "b"}), JoinParts({"", "ab"}),
      JoinParts({"ab", ""}), JoinParts({"b", "a"}), JoinParts({std::string_view("a\0\0\0\1b", 6)}),
  };
  EXPECT_EQ(joined.size(), 9u);
}

TEST_F(AeadTest, JoinPartsWritesLengthsOverTwoHundredFiftyFive) {
  EXPECT_EQ(JoinParts({std::string(0x10203, 'x')}).substr(0, 4), std::string("\0\1\2\3", 4));
}

TEST_F(AeadTest, EqualInConstantTimeComparesSizeAndContent) {
  EXPECT_TRUE(EqualInConstantTime("abc", "abc"));
  EXPECT_TRUE(EqualInConstantTime("", ""));
  EXPECT_FALSE(EqualInConstantTime("abc", "abd"));
  EXPECT_FALSE(EqualInConstantTime("abc", "ab"));
}

}  // namespace
}  // namespace keyferry

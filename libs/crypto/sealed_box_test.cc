#include "libs/crypto/sealed_box.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/testing/vectors.h"
#include "libs/crypto/x25519.h"

namespace keyferry {
namespace {

constexpr absl::StatusCode kInvalidArgument = absl::StatusCode::kInvalidArgument;
constexpr size_t kEphemeralAt = 2 + kSealingKeyIdBytes;
constexpr size_t kCommitmentAt = kEphemeralAt + kSealingKeyBytes;
constexpr size_t kNonceAt = kCommitmentAt + kCommitmentBytes;

class SealedBoxTest : public ::testing::Test {
 protected:
  std::string Seal(std::string_view context = "context") {
    return *sender_->Seal(region_.public_key(), data_key_, context);
  }
  static std::string EphemeralOf(const std::string& box) { return box.substr(kEphemeralAt, kSealingKeyBytes); }

  FakeClock clock_;
  const RegionKey region_ = RegionKey::Generate();
  const SecretBytes data_key_ = SecretBytes::Random(kKeyBytes);
  const std::unique_ptr<SealedBoxSender> sender_ = SealedBoxSender::Create(clock_);
};

TEST_F(SealedBoxTest, TheRegionOpensWhatWasSealedToIt) {
  const auto opened = region_.OpenBox(Seal(), "context");
  ASSERT_THAT(opened, IsOk());
  EXPECT_TRUE(opened->Equals(data_key_));
}

TEST_F(SealedBoxTest, ABoxIsBuiltAsTheDocumentSays) {
  const std::string box = Seal();
  EXPECT_EQ(box.size(), 2 + 16 + 32 + 32 + 24 + 32 + 32 + 16u);
  EXPECT_EQ(box.substr(0, 2), std::string("\x01\x01"));
  EXPECT_EQ(box.substr(2, kSealingKeyIdBytes), Sha256(region_.public_key()).substr(0, 16));
  const auto shared = X25519SharedSecret(region_.private_key(), EphemeralOf(box));
  ASSERT_TRUE(shared.has_value());
  const CommittedKey key =
      CommittedKey::Expand(*shared, EphemeralOf(box) + region_.public_key(), "keyferry/sealed-box/v1");
  EXPECT_EQ(key.commitment(), box.substr(kCommitmentAt, kCommitmentBytes));
  const auto inside = key.Open(box.substr(kNonceAt), Sha256("context"));
  ASSERT_THAT(inside, IsOk());
  EXPECT_EQ(inside->Access(), std::string(data_key_.Access()) + Sha256("context"));
}

TEST_F(SealedBoxTest, AGoldenBoxStillOpens) {
  const std::vector<TestVector> vectors = ReadVectors("golden_box.txt");
  ASSERT_EQ(vectors.size(), 1u);
  const auto region = RegionKey::FromPrivate(SecretBytes::Copy(std::string(kSealingKeyBytes, 7)));
  ASSERT_THAT(region, IsOk());
  const auto opened = region->OpenBox(vectors[0].fields[0], "context");
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->Access(), std::string(kKeyBytes, 9));
}

TEST_F(SealedBoxTest, EveryFlippedBitIsDataLossInTheSameWords) {
  const std::string box = Seal();
  for (size_t at = 0; at < box.size(); ++at) {
    // A high bit that X25519 ignores still changes the salt of the derived key.
    for (const int bit : {0, 3, 7}) {
      std::string changed = box;
      changed[at] ^= static_cast<char>(1 << bit);
      EXPECT_EQ(region_.OpenBox(changed, "context").status(), DoesNotOpen()) << "byte " << at << " bit " << bit;
    }
  }
}

TEST_F(SealedBoxTest, WhatWasAgreedWithASenderOpensNoChangedBoxOfIts) {
  ASSERT_THAT(region_.OpenBox(Seal(), "context"), IsOk());
  ASSERT_EQ(region_.agreed_sender_count(), 1u);
  const std::string box = Seal();
  for (size_t at = 0; at < box.size(); ++at) {
    std::string changed = box;
    changed[at] ^= 1;
    EXPECT_EQ(region_.OpenBox(changed, "context").status(), DoesNotOpen()) << "byte " << at;
  }
  EXPECT_EQ(region_.OpenBox(box, "another context").status(), DoesNotOpen());
  EXPECT_THAT(region_.OpenBox(box, "context"), IsOk());
  EXPECT_EQ(region_.agreed_sender_count(), 1u);
}

TEST_F(SealedBoxTest, NothingIsRememberedOfABoxThatDoesNotOpen) {
  EXPECT_EQ(region_.OpenBox(Seal(), "another context").status(), DoesNotOpen());
  EXPECT_EQ(region_.agreed_sender_count(), 0u);
}

TEST_F(SealedBoxTest, ARegionRemembersSoManySendersAndOpensTheBoxesOfMore) {
  std::vector<std::string> boxes;
  for (size_t i = 0; i < kMaxAgreedSenders + 1; ++i) {
    boxes.push_back(*SealedBoxSender::Create(clock_)->Seal(region_.public_key(), data_key_, "context"));
    ASSERT_THAT(region_.OpenBox(boxes.back(), "context"), IsOk());
    EXPECT_EQ(region_.agreed_sender_count(), std::min(i + 1, kMaxAgreedSenders));
  }
  for (const std::string& box : boxes) EXPECT_THAT(region_.OpenBox(box, "context"), IsOk());
  EXPECT_EQ(region_.agreed_sender_count(), kMaxAgreedSenders);
}

TEST_F(SealedBoxTest, ThreadsOpenTheBoxesOfMoreSendersThanAreRemembered) {
  std::vector<std::string> boxes;
  for (size_t i = 0; i < kMaxAgreedSenders + 8; ++i)
    boxes.push_back(*SealedBoxSender::Create(clock_)->Seal(region_.public_key(), data_key_, "context"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (const std::string& box : boxes) EXPECT_TRUE(region_.OpenBox(box, "context")->Equals(data_key_));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(region_.agreed_sender_count(), kMaxAgreedSenders);
}

TEST_F(SealedBoxTest, EveryTruncationAndExtensionIsDataLoss) {
  const std::string box = Seal();
  for (size_t size = 0; size < box.size(); ++size) {
    EXPECT_EQ(region_.OpenBox(box.substr(0, size), "context").status(), DoesNotOpen()) << size;
  }
  EXPECT_EQ(region_.OpenBox(box + '\0', "context").status(), DoesNotOpen());
}

TEST_F(SealedBoxTest, AnotherRegionOrContextIsDataLoss) {
  EXPECT_EQ(RegionKey::Generate().OpenBox(Seal(), "context").status(), DoesNotOpen());
  EXPECT_EQ(region_.OpenBox(Seal(), "contexts").status(), DoesNotOpen());
  EXPECT_EQ(region_.OpenBox(Seal(), "").status(), DoesNotOpen());
}

TEST_F(SealedBoxTest, ABoxUnderAnotherRegionsIdIsDataLoss) {
  const RegionKey other = RegionKey::Generate();
  std::string renamed = Seal();
  renamed.replace(2, kSealingKeyIdBytes, other.id());
  EXPECT_EQ(other.OpenBox(renamed, "context").status(), DoesNotOpen());
}

TEST_F(SealedBoxTest, AContextInsideThatIsNotTheOneOutsideIsDataLoss) {
  const RegionKey ephemeral = RegionKey::Generate();
  const CommittedKey key =
      CommittedKey::Expand(*X25519SharedSecret(ephemeral.private_key(), region_.public_key()),
                           ephemeral.public_key() + region_.public_key(), "keyferry/sealed-box/v1");
  const std::string header = std::string("\x01\x01") + region_.id() + ephemeral.public_key() + key.commitment();
  const std::string data_key(data_key_.Access());
  EXPECT_THAT(region_.OpenBox(header + key.Seal(data_key + Sha256("context"), Sha256("context")), "context"), IsOk());
  EXPECT_EQ(region_.OpenBox(header + key.Seal(data_key + Sha256("other"), Sha256("context")), "context").status(),
            DoesNotOpen());
}

TEST_F(SealedBoxTest, AnEphemeralKeyOfLowOrderIsDataLoss) {
  for (const TestVector& vector : ReadVectors("x25519.txt")) {
    if (!vector.fields[2].empty()) continue;
    std::string box = Seal();
    box.replace(kEphemeralAt, kSealingKeyBytes, vector.fields[1]);
    EXPECT_EQ(region_.OpenBox(box, "context").status(), DoesNotOpen()) << vector.id;
  }
}

TEST_F(SealedBoxTest, TenThousandRandomBoxesAreDataLoss) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 10'000; ++i) {
    std::string box(i % 20 == 0 ? 186 : random() % 300, '\0');
    for (char& byte : box) byte = static_cast<char>(random());
    // Now and then past the cheap checks.
    if (i % 20 == 0) box.replace(0, kEphemeralAt, std::string("\x01\x01") + region_.id());
    ASSERT_EQ(region_.OpenBox(box, "context").status(), DoesNotOpen());
  }
}

TEST_F(SealedBoxTest, SealRefusesAPublicKeyOfAnotherSize) {
  for (const size_t size : {0, 31, 33}) {
    EXPECT_THAT(sender_->Seal(std::string(size, 1), data_key_, "context"), StatusIs(kInvalidArgument)) << size;
  }
}

TEST_F(SealedBoxTest, SealRefusesEveryPublicKeyOfLowOrder) {
  int found = 0;
  for (const TestVector& vector : ReadVectors("x25519.txt")) {
    if (!vector.fields[2].empty()) continue;
    ++found;
    EXPECT_THAT(sender_->Seal(vector.fields[1], data_key_, "context"), StatusIs(kInvalidArgument)) << vector.id;
  }
  EXPECT_EQ(found, 8);
}

TEST_F(SealedBoxTest, AnEphemeralKeyServesOneRegionForSixtySeconds) {
  const std::string first = EphemeralOf(Seal());
  clock_.Advance(absl::Seconds(60) - absl::Nanoseconds(1));
  EXPECT_EQ(EphemeralOf(Seal()), first);
  clock_.Advance(absl::Nanoseconds(1));
  const std::string second = EphemeralOf(Seal());
  EXPECT_NE(second, first);
  EXPECT_EQ(EphemeralOf(Seal()), second);
}

TEST_F(SealedBoxTest, NoTwoRegionsShareAnEphemeralKey) {
  const RegionKey other = RegionKey::Generate();
  EXPECT_NE(EphemeralOf(*sender_->Seal(other.public_key(), data_key_, "context")), EphemeralOf(Seal()));
}

TEST_F(SealedBoxTest, BoxesOfOneEphemeralKeyHaveTheirOwnNonces) {
  std::set<std::string> nonces;
  for (int i = 0; i < 1000; ++i) nonces.insert(Seal().substr(kNonceAt, kNonceBytes));
  EXPECT_EQ(nonces.size(), 1000u);
}

TEST_F(SealedBoxTest, ManyRegionsPushOutTheOldestAndAllStillOpen) {
  const std::string first = EphemeralOf(Seal());
  clock_.Advance(absl::Seconds(1));
  for (int i = 0; i < 1024; ++i) {
    const RegionKey other = RegionKey::Generate();
    const auto box = sender_->Seal(other.public_key(), data_key_, "context");
    ASSERT_THAT(box, IsOk());
    if (i % 100 == 0) {
      ASSERT_THAT(other.OpenBox(*box, "context"), IsOk());
    }
  }
  const std::string box = Seal();
  EXPECT_NE(EphemeralOf(box), first);
  EXPECT_THAT(region_.OpenBox(box, "context"), IsOk());
}

TEST_F(SealedBoxTest, ThreadsSealToManyRegionsAtOnce) {
  std::vector<RegionKey> regions;
  for (int i = 0; i < 8; ++i) regions.push_back(RegionKey::Generate());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const RegionKey& region = regions[i % regions.size()];
        EXPECT_THAT(region.OpenBox(*sender_->Seal(region.public_key(), data_key_, "context"), "context"), IsOk());
        if (i % 50 == 0) clock_.Advance(absl::Seconds(60));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(SealedBoxTest, ARegionKeyComesBackFromItsPrivateHalf) {
  const auto restored = RegionKey::FromPrivate(region_.private_key().Clone());
  ASSERT_THAT(restored, IsOk());
  EXPECT_EQ(restored->public_key(), region_.public_key());
  EXPECT_EQ(restored->id(), region_.id());
  EXPECT_THAT(restored->OpenBox(Seal(), "context"), IsOk());
}

TEST_F(SealedBoxTest, ARegionKeyOfAnotherSizeIsRefused) {
  EXPECT_THAT(RegionKey::FromPrivate(SecretBytes::Random(31)), StatusIs(kInvalidArgument));
  EXPECT_THAT(RegionKey::FromPrivate(SecretBytes::Random(33)), StatusIs(kInvalidArgument));
  EXPECT_THAT(RegionKey::FromPrivate(SecretBytes()), StatusIs(kInvalidArgument));
}

}  // namespace
}  // namespace keyferry

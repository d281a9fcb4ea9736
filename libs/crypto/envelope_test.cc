#include "libs/crypto/envelope.h"

#include <gtest/gtest.h>

#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

constexpr absl::StatusCode kInvalidArgument = absl::StatusCode::kInvalidArgument;

class EnvelopeTest : public ::testing::Test {
 protected:
  SealedDataKey SealedTo(const RegionKey& region) { return *data_key_.SealToRegion(*sender_, region.public_key()); }
  OpenedDataKey Opened() { return *OpenedDataKey::Open(region_, context_, SealedTo(region_)); }
  SealedEntry Entry() { return data_key_.Seal("API_KEY", value_); }

  FakeClock clock_;
  const SealContext context_ = {.organization_uid = "org-1", .set_uid = "set-1"};
  const RegionKey region_ = RegionKey::Generate();
  const SecretBytes value_ = SecretBytes::Copy(std::string("v\0\xff=", 4));
  const DataKey data_key_ = DataKey::Create(context_);
  const std::unique_ptr<SealedBoxSender> sender_ = SealedBoxSender::Create(clock_);
};

TEST_F(EnvelopeTest, TheRegionOpensEveryValueOfAWrite) {
  const OpenedDataKey opened = Opened();
  EXPECT_EQ(opened.id(), data_key_.id());
  for (const char* key : {"API_KEY", "OTHER", ""}) {
    const auto value = opened.Open(data_key_.Seal(key, value_));
    ASSERT_THAT(value, IsOk());
    EXPECT_TRUE(value->Equals(value_));
  }
}

TEST_F(EnvelopeTest, AnEmptyValueIsAValue) {
  const auto value = Opened().Open(data_key_.Seal("EMPTY", SecretBytes()));
  ASSERT_THAT(value, IsOk());
  EXPECT_TRUE(value->empty());
}

TEST_F(EnvelopeTest, NoTwoWritesShareADataKeyOrItsId) {
  const DataKey other = DataKey::Create(context_);
  EXPECT_EQ(data_key_.id().size(), kDataKeyIdBytes);
  EXPECT_NE(other.id(), data_key_.id());
  SealedEntry renamed = other.Seal("API_KEY", value_);
  EXPECT_EQ(Opened().Open(renamed).status(), DoesNotOpen());
  renamed.data_key_id = data_key_.id();
  EXPECT_EQ(Opened().Open(renamed).status(), DoesNotOpen());
}

TEST_F(EnvelopeTest, TheSameValueTwiceGivesDifferentBytes) { EXPECT_NE(Entry().ciphertext, Entry().ciphertext); }

TEST_F(EnvelopeTest, AValueUnderAnotherKeyNameIsDataLoss) {
  SealedEntry moved = Entry();
  moved.key = "OTHER";
  EXPECT_EQ(Opened().Open(moved).status(), DoesNotOpen());
}

TEST_F(EnvelopeTest, EveryFlippedByteOfAnEntryIsDataLoss) {
  const OpenedDataKey opened = Opened();
  const SealedEntry entry = Entry();
  for (size_t at = 0; at < entry.ciphertext.size(); ++at) {
    SealedEntry changed = entry;
    changed.ciphertext[at] ^= 1;
    EXPECT_EQ(opened.Open(changed).status(), DoesNotOpen()) << at;
  }
}

TEST_F(EnvelopeTest, AnotherOrganizationOrSetIsDataLoss) {
  const SealedDataKey sealed = SealedTo(region_);
  for (const SealContext& other : {SealContext{"org-2", "set-1"}, SealContext{"org-1", "set-2"},
                                   // The same letters, cut elsewhere.
                                   SealContext{"org-1s", "et-1"}, SealContext{"", "org-1set-1"}}) {
    EXPECT_EQ(OpenedDataKey::Open(region_, other, sealed).status(), DoesNotOpen());
  }
}

TEST_F(EnvelopeTest, AnEntryOfAnotherSetUnderTheSameDataKeyIsDataLoss) {
  const auto committed = CommittedKey::Open(
      *UnwrapDataKey(region_.private_key(), context_, data_key_.id(), data_key_.Wrap(region_.private_key())),
      SealedTo(region_).salt, SealedTo(region_).commitment);
  ASSERT_THAT(committed, IsOk());
  SealedEntry foreign = Entry();
  foreign.ciphertext =
      committed->Seal("value", JoinParts({"keyferry/value/v1", "org-1", "set-2", "API_KEY", data_key_.id()}));
  EXPECT_EQ(Opened().Open(foreign).status(), DoesNotOpen());
}

TEST_F(EnvelopeTest, AnotherRegionIsDataLoss) {
  EXPECT_EQ(OpenedDataKey::Open(RegionKey::Generate(), context_, SealedTo(region_)).status(), DoesNotOpen());
}

TEST_F(EnvelopeTest, EveryFlippedByteOfASealedDataKeyIsDataLoss) {
  const SealedDataKey sealed = SealedTo(region_);
  for (std::string SealedDataKey::*field :
       {&SealedDataKey::id, &SealedDataKey::salt, &SealedDataKey::commitment, &SealedDataKey::region_box}) {
    for (size_t at = 0; at < (sealed.*field).size(); ++at) {
      SealedDataKey changed = sealed;
      (changed.*field)[at] ^= 1;
      EXPECT_EQ(OpenedDataKey::Open(region_, context_, changed).status(), DoesNotOpen()) << at;
    }
    SealedDataKey emptied = sealed;
    (emptied.*field).clear();
    EXPECT_EQ(OpenedDataKey::Open(region_, context_, emptied).status(), DoesNotOpen());
  }
}

TEST_F(EnvelopeTest, SaltAndCommitmentOfAnotherWriteAreDataLoss) {
  const SealedDataKey other = *DataKey::Create(context_).SealToRegion(*sender_, region_.public_key());
  SealedDataKey spliced = SealedTo(region_);
  spliced.salt = other.salt;
  spliced.commitment = other.commitment;
  EXPECT_EQ(OpenedDataKey::Open(region_, context_, spliced).status(), DoesNotOpen());
}

TEST_F(EnvelopeTest, AnUnusableRegionKeyIsInvalidArgument) {
  EXPECT_THAT(data_key_.SealToRegion(*sender_, "short"), StatusIs(kInvalidArgument));
  EXPECT_THAT(data_key_.SealToRegion(*sender_, std::string(32, '\0')), StatusIs(kInvalidArgument));
}

TEST_F(EnvelopeTest, EscrowOpensAValueOnceItsDataKeyIsUnwrapped) {
  const SecretBytes escrow = SecretBytes::Random(kKeyBytes);
  const auto key = UnwrapDataKey(escrow, context_, data_key_.id(), data_key_.Wrap(escrow));
  ASSERT_THAT(key, IsOk());
  const SealedDataKey sealed = SealedTo(region_);
  const auto committed = CommittedKey::Open(*key, sealed.salt, sealed.commitment);
  ASSERT_THAT(committed, IsOk());
  const auto value = committed->Open(Entry().ciphertext,
                                     JoinParts({"keyferry/value/v1", "org-1", "set-1", "API_KEY", data_key_.id()}));
  ASSERT_THAT(value, IsOk());
  EXPECT_TRUE(value->Equals(value_));
}

TEST_F(EnvelopeTest, AWrappedDataKeyBindsKeyPlaceAndId) {
  const SecretBytes escrow = SecretBytes::Random(kKeyBytes);
  const std::string wrapped = data_key_.Wrap(escrow);
  EXPECT_EQ(UnwrapDataKey(SecretBytes::Random(kKeyBytes), context_, data_key_.id(), wrapped).status(), DoesNotOpen());
  EXPECT_EQ(UnwrapDataKey(escrow, {"org-2", "set-1"}, data_key_.id(), wrapped).status(), DoesNotOpen());
  EXPECT_EQ(UnwrapDataKey(escrow, {"org-1", "set-2"}, data_key_.id(), wrapped).status(), DoesNotOpen());
  EXPECT_EQ(UnwrapDataKey(escrow, context_, std::string(kDataKeyIdBytes, 'x'), wrapped).status(), DoesNotOpen());
  for (size_t at = 0; at < wrapped.size(); ++at) {
    std::string changed = wrapped;
    changed[at] ^= 1;
    EXPECT_EQ(UnwrapDataKey(escrow, context_, data_key_.id(), changed).status(), DoesNotOpen()) << at;
  }
}

TEST_F(EnvelopeTest, NothingSealedContainsTheValue) {
  const SecretBytes canary = SecretBytes::Copy("canary-of-the-envelope-test");
  const SealedEntry entry = data_key_.Seal("API_KEY", canary);
  EXPECT_EQ(entry.ciphertext.find(canary.Access()), std::string::npos);
}

}  // namespace
}  // namespace keyferry

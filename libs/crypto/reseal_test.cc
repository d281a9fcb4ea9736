#include "libs/crypto/reseal.h"

#include <gtest/gtest.h>

#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

const SealContext kContext{.organization_uid = "organization-1", .set_uid = "set-1"};

class ResealTest : public testing::Test {
 protected:
  absl::StatusOr<SealedDataKey> Again(const SealContext& context = kContext) {
    auto data_key = UnwrapDataKey(escrow_, kContext, key_.id(), wrapped_);
    if (!data_key.ok()) return data_key.status();
    return SealAgain(sealed_, *data_key, context, *sender_, new_.public_key());
  }

  FakeClock clock_;
  std::unique_ptr<SealedBoxSender> sender_ = SealedBoxSender::Create(clock_);
  RegionKey old_ = RegionKey::Generate();
  RegionKey new_ = RegionKey::Generate();
  SecretBytes escrow_ = SecretBytes::Random(kKeyBytes);
  DataKey key_ = DataKey::Create(kContext);
  SealedEntry entry_ = key_.Seal("KEY", SecretBytes::Copy("value"));
  std::string wrapped_ = key_.Wrap(escrow_);
  SealedDataKey sealed_ = *key_.SealToRegion(*sender_, old_.public_key());
};

TEST_F(ResealTest, ABoxNamesTheKeyItIsFor) {
  EXPECT_EQ(RecipientOf(sealed_.region_box), old_.id());
  EXPECT_EQ(RecipientOf(sealed_.region_box.substr(0, 17)), "");
  EXPECT_EQ(RecipientOf(""), "");
}

TEST_F(ResealTest, TheNewKeyOpensTheSameValuesAndTheOldOneNothing) {
  const auto again = Again();
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(RecipientOf(again->region_box), new_.id());
  EXPECT_EQ(again->salt, sealed_.salt);
  EXPECT_EQ(again->commitment, sealed_.commitment);
  const auto opened = OpenedDataKey::Open(new_, kContext, *again);
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->Open(entry_)->Access(), "value");
  EXPECT_THAT(OpenedDataKey::Open(old_, kContext, *again).status(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(ResealTest, AnotherScopeDoesNotOpen) {
  const auto elsewhere = Again({.organization_uid = "organization-1", .set_uid = "set-2"});
  ASSERT_THAT(elsewhere, IsOk());
  EXPECT_THAT(OpenedDataKey::Open(new_, kContext, *elsewhere).status(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(ResealTest, AKeyOfOtherValuesIsRefused) {
  EXPECT_THAT(SealAgain(sealed_, SecretBytes::Random(kKeyBytes), kContext, *sender_, new_.public_key()).status(),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(SealAgain(sealed_, SecretBytes::Random(kKeyBytes - 1), kContext, *sender_, new_.public_key()).status(),
              StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace keyferry

#include "services/api/regions.h"

#include <gtest/gtest.h>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/testing/fake_region.h"

namespace keyferry {
namespace {

class RegionsTest : public ::testing::Test {
 protected:
  absl::StatusOr<NamedRegion> Make(const std::string& code, RegionRow row) {
    absl::StatusOr<NamedRegion> made = absl::UnknownError("not answered");
    regions_->Make(code, std::move(row), [&](absl::StatusOr<NamedRegion> region) { made = std::move(region); });
    scene_.executor().RunUntilIdle();
    return made;
  }

  RegionScene scene_;
  const std::unique_ptr<Regions> regions_ = Regions::Create(scene_.writer(), scene_.clock(), scene_.directory());
  const std::string key_ = SealingKeyOf("us-west");
};

TEST_F(RegionsTest, MakeKeepsWhatItWasGiven) {
  ASSERT_THAT(Make("us-west", {.display_name = "US West", .sealing_key = key_, .blind = true}), IsOk());
  const absl::StatusOr<NamedRegion> found = regions_->Find("us-west");
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->row.display_name, "US West");
  EXPECT_EQ(found->row.sealing_key, key_);
  EXPECT_TRUE(found->row.blind);
  EXPECT_EQ(found->row.create_time, scene_.clock().Now());
}

TEST_F(RegionsTest, ASecondRegionOfTheNameIsRefused) {
  ASSERT_THAT(Make("us-west", {.sealing_key = key_}), IsOk());
  EXPECT_THAT(Make("us-west", {.sealing_key = key_}), FailsWith(absl::StatusCode::kAlreadyExists, "REGION_EXISTS"));
}

TEST_F(RegionsTest, ASealingKeyHasThirtyTwoBytes) {
  for (const size_t size : {31u, 33u, 1u}) {
    EXPECT_THAT(Make("us-west", {.sealing_key = std::string(size, 'k')}),
                FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_SEALING_KEY"));
  }
}

TEST_F(RegionsTest, ARegionMayBeMadeWithoutASealingKey) {
  ASSERT_THAT(Make("us-west", {}), IsOk());
  EXPECT_EQ(regions_->Find("us-west")->row.sealing_key, "");
}

TEST_F(RegionsTest, BadNamesAreRefusedWithEveryViolation) {
  const absl::Status status = Make("US-West", {.display_name = std::string(kMaxDisplayNameLength + 1, 'x'), .sealing_key = key_}).status();
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "INVALID_REGION"));
  EXPECT_EQ(DetailsOf(status)->violations.size(), 2u);
  EXPECT_THAT(Make("us-west", {.display_name = std::string(kMaxDisplayNameLength, 'x'), .sealing_key = key_}), IsOk());
}

TEST_F(RegionsTest, ListIsInOrderOfCode) {
  for (const char* code : {"us-west", "eu-1", "us-east"}) ASSERT_THAT(Make(code, {.sealing_key = key_}), IsOk());
  const auto regions = *regions_->List();
  ASSERT_EQ(regions.size(), 3u);
  EXPECT_EQ(regions[0].code, "eu-1");
  EXPECT_EQ(regions[2].code, "us-west");
}

TEST_F(RegionsTest, AbsentRegionsAreNotFound) {
  EXPECT_THAT(regions_->Find("nowhere"), FailsWith(absl::StatusCode::kNotFound, "REGION_NOT_FOUND"));
  EXPECT_THAT(regions_->Find("No Where"), FailsWith(absl::StatusCode::kNotFound, "REGION_NOT_FOUND"));
  absl::StatusOr<int64_t> retried = 0;
  regions_->Resync("nowhere", {}, [&](absl::StatusOr<int64_t> count) { retried = count; });
  EXPECT_THAT(retried, FailsWith(absl::StatusCode::kNotFound, "REGION_NOT_FOUND"));
}

TEST_F(RegionsTest, HealthTellsPendingAndTheAgeOfTheOldest) {
  ASSERT_THAT(Make("us-west", {.sealing_key = key_}), IsOk());
  scene_.Write("us-west", "set-1");
  scene_.clock().Advance(absl::Seconds(30));
  scene_.Write("us-west", "set-2");
  RegionHealth health = *regions_->HealthOf("us-west");
  EXPECT_EQ(health.pending_count, 2);
  EXPECT_EQ(health.oldest_pending_age, absl::Seconds(30));
  EXPECT_TRUE(health.provisioners.empty());
  FakeRegion region("us-west");
  FakeProvisioner provisioner(region, scene_.directory(), "p1");
  provisioner.SayHello();
  Settle(scene_, {&provisioner});
  health = *regions_->HealthOf("us-west");
  EXPECT_EQ(health.pending_count, 0);
  EXPECT_EQ(health.oldest_pending_age, absl::ZeroDuration());
  ASSERT_EQ(health.provisioners.size(), 1u);
  EXPECT_EQ(health.provisioners[0].version, "test");
}

}  // namespace
}  // namespace keyferry

#include "libs/storage/disk_guard.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {
namespace {

class DiskGuardTest : public ::testing::Test {
 protected:
  bool HasBallast() const { return std::filesystem::exists(directory_.File("ballast")); }

  const TempDir directory_;
  FakeClock clock_;
  std::optional<uint64_t> free_bytes_;
  DiskGuard guard_{directory_.path(),
                   {.min_free_bytes = 1000, .ballast_bytes = 64, .free_bytes = [this] { return free_bytes_; }},
                   clock_};
};

TEST_F(DiskGuardTest, RefusesBelowTheLimitAndNotAtIt) {
  free_bytes_ = 1000;
  EXPECT_THAT(guard_.Check(), IsOk());
  free_bytes_ = 999;
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_THAT(guard_.Check(), FailsWith(absl::StatusCode::kResourceExhausted, "DISK_FULL"));
  free_bytes_ = 1000;
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_THAT(guard_.Check(), IsOk());
}

TEST_F(DiskGuardTest, AsksAtMostTenTimesASecond) {
  free_bytes_ = 1000;
  EXPECT_THAT(guard_.Check(), IsOk());
  free_bytes_ = 0;
  clock_.Advance(absl::Milliseconds(99));
  EXPECT_THAT(guard_.Check(), IsOk());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(guard_.Check(), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(DiskGuardTest, AFileSystemThatCannotBeAskedDoesNotStopTheStore) {
  free_bytes_ = std::nullopt;
  EXPECT_THAT(guard_.Check(), IsOk());
}

TEST_F(DiskGuardTest, LaysBallastDownWhereThereIsRoomAndGivesItUpWhenFull) {
  free_bytes_ = 1000 + 63;
  guard_.TrimBallast();
  EXPECT_FALSE(HasBallast());
  free_bytes_ = 1000 + 64;
  guard_.TrimBallast();
  ASSERT_TRUE(HasBallast());
  EXPECT_EQ(std::filesystem::file_size(directory_.File("ballast")), 64u);
  free_bytes_ = 64;
  guard_.TrimBallast();
  EXPECT_TRUE(HasBallast());
  free_bytes_ = 63;
  guard_.TrimBallast();
  EXPECT_FALSE(HasBallast());
}

}  // namespace
}  // namespace keyferry

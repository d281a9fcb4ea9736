#include "libs/common/backoff.h"

#include <gtest/gtest.h>

#include <limits>

#include "libs/common/limits.h"

namespace keyferry {
namespace {

constexpr absl::Duration kMin = absl::Seconds(1);
constexpr absl::Duration kMax = absl::Minutes(5);

TEST(BackoffTest, TheCeilingDoublesUntilTheMaximum) {
  EXPECT_EQ(BackoffDelay(0, kMin, kMax, 1), absl::Seconds(1));
  EXPECT_EQ(BackoffDelay(1, kMin, kMax, 1), absl::Seconds(2));
  EXPECT_EQ(BackoffDelay(8, kMin, kMax, 1), absl::Seconds(256));
  EXPECT_EQ(BackoffDelay(9, kMin, kMax, 1), kMax);
  EXPECT_EQ(BackoffDelay(std::numeric_limits<int>::max(), kMin, kMax, 1), kMax);
}

TEST(BackoffTest, JitterTakesTheWholeRange) {
  EXPECT_EQ(BackoffDelay(3, kMin, kMax, 0), absl::ZeroDuration());
  EXPECT_EQ(BackoffDelay(3, kMin, kMax, 0.5), absl::Seconds(4));
}

TEST(BackoffTest, ANegativeAttemptIsTheFirst) { EXPECT_EQ(BackoffDelay(-1, kMin, kMax, 1), kMin); }

TEST(BackoffTest, ARandomNumberOutOfRangeIsClamped) {
  EXPECT_EQ(BackoffDelay(0, kMin, kMax, -0.1), absl::ZeroDuration());
  EXPECT_EQ(BackoffDelay(0, kMin, kMax, 1.1), kMin);
  EXPECT_EQ(BackoffDelay(0, kMin, kMax, std::numeric_limits<double>::quiet_NaN()), kMin);
}

TEST(BackoffTest, AMaximumBelowTheMinimumWins) { EXPECT_EQ(BackoffDelay(5, kMax, kMin, 1), kMin); }

TEST(BackoffTest, NoMinimumMeansNoWaiting) {
  EXPECT_EQ(BackoffDelay(100, absl::ZeroDuration(), kMax, 1), absl::ZeroDuration());
}

TEST(BackoffTest, AnInfiniteMaximumEndsToo) {
  EXPECT_EQ(BackoffDelay(std::numeric_limits<int>::max(), kMin, absl::InfiniteDuration(), 1), absl::InfiniteDuration());
}

}  // namespace
}  // namespace keyferry

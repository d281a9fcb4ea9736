#include "services/provisioner/sealing_key_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "services/provisioner/upkeep.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

RegionKey CopyOf(const RegionKey& key) { return *RegionKey::FromPrivate(key.private_key().Clone()); }

class SealingKeyChangeTest : public ::testing::Test {
 protected:
  RegionKeySet NewAndOld() const {
    std::vector<RegionKey> keys;
    keys.push_back(CopyOf(new_));
    keys.push_back(CopyOf(old_));
    return RegionKeySet(std::move(keys));
  }

  const RegionKey old_ = RegionKey::Generate();
  const RegionKey new_ = RegionKey::Generate();
  RegionKeys keys_{CopyOf(old_)};
  std::vector<std::string> changed_to_;
  absl::Status answer_;
  SealingKeyChange change_{{.keys = keys_, .change = [this](const RegionKeySet& keys) {
                              changed_to_.push_back(keys.current().id());
                              return answer_;
                            }}};
};

TEST_F(SealingKeyChangeTest, NothingIsToldWhileTheApiKnowsTheCurrentKey) {
  change_.SetOwned(old_.id());
  EXPECT_EQ(change_.Step(), absl::InfiniteDuration());
  EXPECT_THAT(changed_to_, IsEmpty());
}

TEST_F(SealingKeyChangeTest, TheOwnerTellsOfTheNewKeyOnce) {
  change_.SetOwned(old_.id());
  keys_.Replace(NewAndOld());
  EXPECT_EQ(change_.Step(), absl::ZeroDuration());
  EXPECT_EQ(change_.Step(), absl::InfiniteDuration());
  EXPECT_THAT(changed_to_, ElementsAre(new_.id()));
}

TEST_F(SealingKeyChangeTest, AStandbyTellsNothingUntilItOwnsTheRegion) {
  keys_.Replace(NewAndOld());
  EXPECT_EQ(change_.Step(), absl::InfiniteDuration());
  change_.SetOwned(old_.id());
  change_.SetOwned(std::nullopt);
  EXPECT_EQ(change_.Step(), absl::InfiniteDuration());
  EXPECT_THAT(changed_to_, IsEmpty());
  change_.SetOwned(old_.id());
  change_.Step();
  EXPECT_THAT(changed_to_, ElementsAre(new_.id()));
}

TEST_F(SealingKeyChangeTest, ARefusalIsTriedAgain) {
  change_.SetOwned(old_.id());
  keys_.Replace(NewAndOld());
  answer_ = absl::FailedPreconditionError("the last change runs");
  for (int i = 0; i < 20; ++i) {
    const absl::Duration pause = change_.Step();
    EXPECT_GE(pause, kMinSealingKeyRetry);
    EXPECT_LE(pause, kMaxSealingKeyRetry);
  }
  answer_ = absl::OkStatus();
  EXPECT_EQ(change_.Step(), absl::ZeroDuration());
}

TEST(UpkeepTest, RunsAtOnceAndWhenItIsNudged) {
  absl::Mutex mutex;
  int steps = 0;
  Upkeep upkeep([&] {
    absl::MutexLock lock(&mutex);
    ++steps;
    return absl::InfiniteDuration();
  });
  const auto await = [&](int count) {
    absl::MutexLock lock(&mutex);
    const auto reached = [&] { return steps >= count; };
    return mutex.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(10));
  };
  EXPECT_TRUE(await(1));
  upkeep.Nudge();
  EXPECT_TRUE(await(2));
}

TEST(UpkeepTest, RunsAgainAfterThePause) {
  absl::Notification third;
  int steps = 0;
  Upkeep upkeep([&] {
    if (++steps == 3) third.Notify();
    return steps < 3 ? absl::Milliseconds(1) : absl::InfiniteDuration();
  });
  EXPECT_TRUE(third.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

}  // namespace
}  // namespace keyferry

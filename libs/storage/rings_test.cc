#include "libs/storage/rings.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"

namespace keyferry {
namespace {

RowKey Key(std::string bytes) { return {Family::kSets, std::move(bytes)}; }

class RingsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store::Subscription> Count(const RowKey& begin, const std::string& end, int& count) {
    return rings_.Subscribe(begin, end, [&count] { ++count; });
  }
  Rings rings_;
};

TEST_F(RingsTest, RingsForKeysFromBeginOnAndBelowEnd) {
  int count = 0;
  const auto subscription = Count(Key("b"), "d", count);
  for (const char* outside : {"a", "az", "d", "e", ""}) rings_.RingFor({Key(outside)});
  rings_.RingFor({{Family::kMeta, "c"}, {Family::kGenerations, "c"}});
  EXPECT_EQ(count, 0);
  for (const char* inside : {"b", "c", "czz"}) rings_.RingFor({Key(inside)});
  EXPECT_EQ(count, 3);
}

TEST_F(RingsTest, ARingCanAskWhichKeysItIsCalledFor) {
  std::vector<RowKey> told;
  const auto subscription = rings_.Subscribe(Key("b"), "d", [&] { told = *RungKeys(); });
  EXPECT_EQ(RungKeys(), nullptr);
  rings_.RingFor({Key("a"), Key("c")});
  EXPECT_EQ(told, (std::vector<RowKey>{Key("a"), Key("c")}));
  EXPECT_EQ(RungKeys(), nullptr);
}

TEST_F(RingsTest, AnEmptyEndIsTheEndOfTheFamily) {
  int count = 0;
  const auto subscription = Count(Key("b"), "", count);
  rings_.RingFor({Key("\xff\xff\xff")});
  EXPECT_EQ(count, 1);
  rings_.RingFor({{Family::kGenerations, ""}});
  EXPECT_EQ(count, 1);
}

TEST_F(RingsTest, AnEmptyOrReversedIntervalNeverRings) {
  int count = 0;
  const auto empty = Count(Key("b"), "b", count);
  const auto reversed = Count(Key("b"), "a", count);
  rings_.RingFor({Key("a"), Key("b"), Key("c")});
  EXPECT_EQ(count, 0);
}

TEST_F(RingsTest, ManyKeysOfOneCommitRingOnce) {
  int count = 0;
  const auto subscription = Count(Key("a"), "z", count);
  rings_.RingFor({Key("b"), Key("c"), Key("d")});
  EXPECT_EQ(count, 1);
}

TEST_F(RingsTest, AnEndedSubscriptionLeavesTheOthers) {
  int first = 0, second = 0;
  auto one = Count(Key("a"), "m", first);
  const auto two = Count(Key("a"), "z", second);
  one.reset();
  rings_.RingFor({Key("b")});
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

TEST_F(RingsTest, EndingWaitsForTheCallThatIsUnderWay) {
  absl::Notification inside, leave;
  std::atomic<bool> running = false;
  auto subscription = rings_.Subscribe(Key("a"), "b", [&] {
    running = true;
    inside.Notify();
    leave.WaitForNotification();
    running = false;
  });
  std::thread ringing([&] { rings_.RingFor({Key("a")}); });
  inside.WaitForNotification();
  std::thread ending([&] {
    subscription.reset();
    EXPECT_FALSE(running);
  });
  leave.Notify();
  ending.join();
  ringing.join();
}

TEST_F(RingsTest, RandomIntervalsRingExactlyAsTheirBoundsSay) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const auto random_key = [&] { return std::string(1 + random() % 2, static_cast<char>('a' + random() % 6)); };
  struct Subscribed {
    std::string begin, end;
    int count = 0;
    std::unique_ptr<Store::Subscription> subscription;
  };
  std::vector<std::unique_ptr<Subscribed>> all;
  for (int step = 0; step < 3000; ++step) {
    if (random() % 3 == 0 && !all.empty()) {
      all.erase(all.begin() + random() % all.size());
    } else if (random() % 2 == 0) {
      auto added = std::make_unique<Subscribed>();
      added->begin = random_key();
      added->end = random() % 5 == 0 ? "" : random_key();
      added->subscription = Count(Key(added->begin), added->end, added->count);
      all.push_back(std::move(added));
    }
    const std::string key = random_key();
    for (const auto& one : all) one->count = 0;
    rings_.RingFor({Key(key)});
    for (const auto& one : all) {
      const bool covers = key >= one->begin && (one->end.empty() || key < one->end);
      ASSERT_EQ(one->count, covers ? 1 : 0)
          << "step " << step << " key " << key << " in " << one->begin << ".." << one->end;
    }
  }
}

}  // namespace
}  // namespace keyferry

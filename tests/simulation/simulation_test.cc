#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/simulation/history.h"

namespace keyferry {
namespace {

TEST(SimulationTest, ASeedRunsTheSameTwiceWhateverRanBefore) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const Outcome first = SimulateApart({.seed = seed});
    const Outcome second = SimulateApart({.seed = seed, .print_failure = false});
    EXPECT_GT(first.steps, 500u);
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.steps, second.steps) << "seed " << seed;
  }
}

TEST(SimulationTest, SeedsDiffer) {
  EXPECT_NE(SimulateApart({.seed = 1}).trace_hash, SimulateApart({.seed = 2}).trace_hash);
}

class PlantedBugTest : public testing::TestWithParam<int> {};

TEST_P(PlantedBugTest, IsCaught) {
  constexpr uint64_t kSeeds = 300;
  const Bug bug = static_cast<Bug>(GetParam());
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Outcome outcome = SimulateApart({.seed = seed, .bug = bug, .print_failure = false});
    if (!outcome.failed) continue;
    EXPECT_FALSE(SimulateApart({.seed = seed}).failed) << "seed " << seed << " fails without the bug too";
    RecordProperty("seed", static_cast<int>(seed));
    RecordProperty("violation", outcome.failure);
    return;
  }
  FAIL() << NameOf(bug) << " went unnoticed in " << kSeeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(Bugs, PlantedBugTest, testing::Range(1, static_cast<int>(Bug::kCount)));

Call Done(CallKind kind, uint64_t begin, uint64_t end, int64_t generation, const std::string& value = "") {
  Call call{
      .kind = kind, .begin = begin, .end = end, .answer = Answer::kDone, .generation = generation, .keys = {"KEY"}};
  if (kind == CallKind::kSet) call.values = {{"KEY", value}};
  call.changed = kind == CallKind::kSet;
  return call;
}

TEST(HistoryTest, CallsThatOverlapMayTakeAnyOrder) {
  EXPECT_FALSE(WhyNotLinearizable(
      {}, {Done(CallKind::kSet, 1, 10, 2, "b"), Done(CallKind::kSet, 2, 9, 1, "a"), Done(CallKind::kGet, 11, 12, 2)}));
}

TEST(HistoryTest, AReadOfWhatWasReplacedBeforeItBeganIsRefused) {
  EXPECT_TRUE(WhyNotLinearizable(
      {}, {Done(CallKind::kSet, 1, 2, 1, "a"), Done(CallKind::kSet, 3, 4, 2, "b"), Done(CallKind::kGet, 5, 6, 1)}));
}

TEST(HistoryTest, TwoWritesCannotMakeOneGeneration) {
  EXPECT_TRUE(WhyNotLinearizable({}, {Done(CallKind::kSet, 1, 10, 1, "a"), Done(CallKind::kSet, 1, 10, 1, "b")}));
}

TEST(HistoryTest, AWriteWithoutAnAnswerMayHaveHappenedOrNot) {
  Call lost = Done(CallKind::kSet, 1, Call::kNever, 0, "a");
  lost.answer = Answer::kNone;
  EXPECT_FALSE(WhyNotLinearizable({}, {lost, Done(CallKind::kSet, 3, 4, 2, "b")}));
  EXPECT_FALSE(WhyNotLinearizable({}, {lost, Done(CallKind::kSet, 3, 4, 1, "b")}));
  EXPECT_TRUE(WhyNotLinearizable({}, {lost, Done(CallKind::kSet, 3, 4, 3, "b")}));
}

TEST(HistoryTest, AnAcknowledgedWriteMustBeThereAtTheEnd) {
  Call end{.kind = CallKind::kFinal, .begin = 9, .end = 9, .answer = Answer::kDone, .state = SetState()};
  EXPECT_TRUE(WhyNotLinearizable({}, {Done(CallKind::kSet, 1, 2, 1, "a"), end}));
  end.state = SetState{.exists = true, .generation = 1, .contents = {{"KEY", "a"}}, .kept = {{1, {{"KEY", "a"}}}}};
  EXPECT_FALSE(WhyNotLinearizable({}, {Done(CallKind::kSet, 1, 2, 1, "a"), end}));
}

}  // namespace
}  // namespace keyferry

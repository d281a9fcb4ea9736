// Watching sets, and waiting for one.
#include "services/api/set_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/call_slots.h"
#include "services/api/set_feed.h"
#include "services/api/set_wait.h"
#include "services/api/testing/api_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;

// `name@generation READINESS`, `-name` or `complete`.
std::string SayInWords(const SetChange& change) {
  if (const auto* deleted = std::get_if<SetDeleted>(&change)) return "-" + deleted->name;
  if (std::holds_alternative<SnapshotComplete>(change)) return "complete";
  const auto& view = std::get<SecretSetView>(change);
  constexpr const char* kReadiness[] = {"", "PENDING", "READY", "FAILED"};
  return absl::StrCat(view.set.name, "@", view.set.generation, " ", kReadiness[static_cast<int>(view.status.readiness)]);
}

// One watch, read one change at a time.
class Watcher {
 public:
  Watcher(SetFeeds& feeds, const WatchedSets& watched) : watch_(feeds.Watch(watched)) {}
  ~Watcher() { watch_->Cancel(); }

  absl::StatusOr<std::string> Next() {
    if (told_.empty()) {
      auto said = Await<absl::StatusOr<std::vector<Said>>>([&](SetWatch::Done done) { watch_->Next(std::move(done)); });
      if (!said.ok()) return said.status();
      EXPECT_LE(said->size(), kWatchPageSets + 1);
      told_.assign(said->begin(), said->end());
    }
    const Said next = told_.front();
    told_.pop_front();
    return *next;
  }
  // Without its readiness; an error's code.
  std::string NextText() {
    const auto said = Next();
    return said.ok() ? said->substr(0, said->find(' ')) : std::string(absl::StatusCodeToString(said.status().code()));
  }
  SetWatch& watch() { return *watch_; }

 private:
  const std::shared_ptr<SetWatch> watch_;
  std::deque<Said> told_;
};

class SetWatchTest : public testing::Test {
 protected:
  void Watch(WatchedSets watched = {}) {
    watched.organization = "acme";
    watch_.emplace(feeds_, watched);
  }
  absl::StatusOr<std::string> Next() { return watch_->Next(); }
  std::string NextText() { return watch_->NextText(); }

  ApiScene scene_;
  std::atomic<int> said_count_ = 0;
  SetFeeds feeds_{*scene_.deps, [this](const SetChange& change) {
                    ++said_count_;
                    return SayInWords(change);
                  }};
  std::optional<Watcher> watch_;
};

TEST_F(SetWatchTest, TellsTheSetsThereAreThenThatThisWasAllThenChanges) {
  ASSERT_THAT(scene_.Set("alpha", {{"A", "1"}}), IsOk());
  ASSERT_THAT(scene_.Set("bravo", {{"A", "1"}}), IsOk());
  Watch();
  EXPECT_EQ(NextText(), "alpha@1");
  EXPECT_EQ(NextText(), "bravo@1");
  EXPECT_EQ(NextText(), "complete");
  ASSERT_THAT(scene_.Set("bravo", {{"A", "2"}}), IsOk());
  EXPECT_EQ(NextText(), "bravo@2");
  ASSERT_THAT(scene_.Delete(scene_.Write("alpha")), IsOk());
  EXPECT_EQ(NextText(), "-alpha");
}

TEST_F(SetWatchTest, TellsWhatTheRegionSaid) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  Watch();
  EXPECT_EQ(NextText(), "app@1");
  EXPECT_EQ(NextText(), "complete");
  ASSERT_TRUE(scene_.Ack("app"));
  EXPECT_EQ(*Next(), "app@1 READY");
  scene_.WipeRegion("us-west");
  EXPECT_EQ(*Next(), "app@1 PENDING");
}

TEST_F(SetWatchTest, AReaderThatFallsBehindGetsTheNewestStateOnce) {
  Watch();
  EXPECT_EQ(NextText(), "complete");
  for (int i = 1; i <= 20; ++i) ASSERT_THAT(scene_.Set("app", {{"A", std::to_string(i)}}), IsOk());
  EXPECT_EQ(NextText(), "app@20");
  ASSERT_THAT(scene_.Set("gone", {{"A", "1"}}), IsOk());
  ASSERT_THAT(scene_.Delete(scene_.Write("gone")), IsOk());
  ASSERT_THAT(scene_.Set("last", {{"A", "1"}}), IsOk());
  EXPECT_EQ(NextText(), "last@1");
}

TEST_F(SetWatchTest, ASetThatComesInAnotherRegionIsWatchedToo) {
  Watch();
  EXPECT_EQ(NextText(), "complete");
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}, "us-east"), IsOk());
  EXPECT_EQ(NextText(), "app@1");
  ASSERT_TRUE(scene_.Ack("app"));
  EXPECT_EQ(*Next(), "app@1 READY");
}

TEST_F(SetWatchTest, ShowsOneSetOrOneRegionWhereAskedTo) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  ASSERT_THAT(scene_.Set("app-2", {{"A", "1"}}, "us-east"), IsOk());
  Watch({.name = "app"});
  EXPECT_EQ(NextText(), "app@1");
  EXPECT_EQ(NextText(), "complete");
  Watch({.region = "us-east"});
  EXPECT_EQ(NextText(), "app-2@1");
  EXPECT_EQ(NextText(), "complete");
}

TEST_F(SetWatchTest, GoesOnBeyondOnePage) {
  constexpr int kSets = kWatchPageSets + 50;
  for (int i = 0; i < kSets; ++i) ASSERT_THAT(scene_.Set("set-" + std::to_string(i), {{"A", "1"}}), IsOk());
  Watch();
  for (int i = 0; i < kSets; ++i) ASSERT_NE(NextText(), "complete");
  EXPECT_EQ(NextText(), "complete");
}

TEST_F(SetWatchTest, ACancelAnswersTheNextThatWaitsAndEveryLaterOne) {
  Watch();
  EXPECT_EQ(NextText(), "complete");
  absl::Notification answered;
  absl::Status status;
  watch_->watch().Next([&](const absl::StatusOr<std::vector<Said>>& changes) {
    status = changes.status();
    answered.Notify();
  });
  watch_->watch().Cancel();
  answered.WaitForNotification();
  EXPECT_THAT(status, StatusIs(StatusCode::kCancelled));
  EXPECT_EQ(NextText(), "CANCELLED");
}

TEST_F(SetWatchTest, AnUnknownOrganizationABadNameAndABrokenStoreEndIt) {
  watch_.emplace(feeds_, WatchedSets{.organization = "nobody"});
  EXPECT_EQ(NextText(), "NOT_FOUND");
  Watch({.name = "X"});
  EXPECT_EQ(NextText(), "INVALID_ARGUMENT");
  Watch();
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailScan, .status = absl::DataLossError("damaged")});
  EXPECT_EQ(NextText(), "DATA_LOSS");
}

TEST_F(SetWatchTest, MoreSetsThanItFollowsEndItWithAnAdviceAndNoTimeToTryAgain) {
  const auto add = [&](size_t from, size_t to) {
    return scene_.Commit([=](Transaction& transaction) {
      for (size_t i = from; i < to; ++i) {
        transaction.Put(keys::SecretSet("acme", "set-" + std::to_string(i)),
                        Encode(SecretSet{.uid = "u", .region = "us-west", .generation = 1}));
      }
      return absl::OkStatus();
    });
  };
  const auto last = [&] {
    absl::StatusOr<std::string> said = Next();
    while (said.ok() && *said != "complete") said = Next();
    return said.status();
  };
  ASSERT_THAT(add(0, kMaxWatchedSets), IsOk());
  Watch();
  EXPECT_THAT(last(), IsOk());
  watch_.reset();
  ASSERT_THAT(add(kMaxWatchedSets, kMaxWatchedSets + 1), IsOk());
  Watch();
  const absl::Status refused = last();
  EXPECT_THAT(refused, FailsWith(StatusCode::kResourceExhausted, "WATCH_TOO_LARGE"));
  EXPECT_EQ(MetadataOf(refused, "advice"), "watch one region or one set");
  EXPECT_EQ(DetailsOf(refused)->retry_after, std::nullopt);
  Watch({.region = "us-west"});
  EXPECT_EQ(MetadataOf(last(), "advice"), "watch one set");
  Watch({.name = "set-7"});
  EXPECT_EQ(NextText(), "set-7@1");
}

TEST_F(SetWatchTest, WhatManyWatchIsSaidOnce) {
  std::deque<Watcher> watchers;
  for (int i = 0; i < 64; ++i) EXPECT_EQ(watchers.emplace_back(feeds_, WatchedSets{.organization = "acme"}).NextText(), "complete");
  const int before = said_count_;
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  for (Watcher& each : watchers) EXPECT_EQ(each.NextText(), "app@1");
  EXPECT_EQ(said_count_ - before, 1);
}

TEST_F(SetWatchTest, OneThatDoesNotReadHoldsUpNobodyAndHearsTheNewestOfEachSetAndWhatIsGone) {
  for (const char* name : {"kept", "lost"}) ASSERT_THAT(scene_.Set(name, {{"A", "0"}}), IsOk());
  Watch();
  for (const char* told : {"kept@1", "lost@1", "complete"}) EXPECT_EQ(NextText(), told);
  Watcher other(feeds_, {.organization = "acme"});
  while (other.NextText() != "complete") continue;

  for (int i = 2; i <= 10; ++i) {
    ASSERT_THAT(scene_.Set("kept", {{"A", std::to_string(i)}}), IsOk());
    EXPECT_EQ(other.NextText(), absl::StrCat("kept@", i));
    const std::string passing = absl::StrCat("passing-", i);
    ASSERT_THAT(scene_.Set(passing, {{"A", "1"}}), IsOk());
    EXPECT_EQ(other.NextText(), passing + "@1");
    ASSERT_THAT(scene_.Delete(scene_.Write(passing)), IsOk());
    EXPECT_EQ(other.NextText(), "-" + passing);
  }
  ASSERT_THAT(scene_.Delete(scene_.Write("lost")), IsOk());
  EXPECT_EQ(other.NextText(), "-lost");
  EXPECT_EQ(NextText(), "kept@10");
  EXPECT_EQ(NextText(), "-lost");
}

// A feed that others watch already knows of a write only when its ring has come, which may be after the write was answered.
TEST_F(SetWatchTest, AWatchThatComesLaterHoldsEveryWriteThatWasAnsweredBefore) {
  Watch();
  EXPECT_EQ(NextText(), "complete");
  for (int i = 1; i <= 100; ++i) {
    ASSERT_THAT(scene_.Set("app", {{"A", std::to_string(i)}}), IsOk());
    EXPECT_EQ(Watcher(feeds_, {.organization = "acme"}).NextText(), absl::StrCat("app@", i));
  }
}

TEST_F(SetWatchTest, EveryWatchHearsEachSetsGenerationsInOrderAndTheLast) {
  constexpr int kWatchers = 8, kSets = 5, kWrites = 60;
  std::vector<std::thread> threads;
  for (int w = 0; w < kWatchers; ++w) {
    threads.emplace_back([&] {
      Watcher watcher(feeds_, {.organization = "acme"});
      std::map<std::string, int64_t> newest;
      for (int finished = 0; finished < kSets;) {
        const absl::StatusOr<std::string> said = watcher.Next();
        ASSERT_THAT(said, IsOk());
        if (*said == "complete") continue;
        const size_t at = said->find('@');
        const int64_t generation = std::stol(said->substr(at + 1));
        int64_t& known = newest[said->substr(0, at)];
        ASSERT_GT(generation, known) << *said;
        known = generation;
        if (generation == kWrites) ++finished;
      }
    });
  }
  for (int s = 0; s < kSets; ++s) {
    threads.emplace_back([&, s] {
      for (int i = 1; i <= kWrites; ++i) EXPECT_THAT(scene_.Set(absl::StrCat("set-", s), {{"A", std::to_string(i)}}), IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(SetWatchTest, OneRegionsWatchHearsThatASetIsNoLongerThere) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}, "us-west"), IsOk());
  Watch({.region = "us-west"});
  EXPECT_EQ(NextText(), "app@1");
  EXPECT_EQ(NextText(), "complete");
  ASSERT_THAT(scene_.Delete(scene_.Write("app")), IsOk());
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}, "us-east"), IsOk());
  EXPECT_EQ(NextText(), "-app");
}

TEST_F(SetWatchTest, AFeedThatBrokeIsLeftAndTheNextWatchBeginsAnew) {
  Watch();
  EXPECT_EQ(NextText(), "complete");
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailScan, .status = absl::DataLossError("damaged")});
  Watcher broken(feeds_, {.organization = "acme"});
  EXPECT_EQ(broken.NextText(), "DATA_LOSS");
  EXPECT_EQ(NextText(), "DATA_LOSS");
  Watch();
  EXPECT_EQ(NextText(), "complete");
}

TEST(CallSlotsTest, ACallerHasSoManySlotsAndGetsThemBack) {
  CallSlots slots(kWatchSlots);
  std::vector<CallSlots::Slot> taken;
  for (size_t i = 0; i < kWatchSlots.per_caller; ++i) taken.push_back(*slots.Take("acme", "apiKey:a"));
  const auto refused = slots.Take("acme", "apiKey:a");
  ASSERT_THAT(refused, FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_WATCHES"));
  EXPECT_GT(DetailsOf(refused.status())->retry_after, absl::ZeroDuration());
  EXPECT_THAT(slots.Take("acme", "apiKey:b"), IsOk());
  EXPECT_THAT(slots.Take("other", "apiKey:a"), IsOk());
  taken.pop_back();
  const auto again = slots.Take("acme", "apiKey:a");
  EXPECT_THAT(again, IsOk());
  EXPECT_THAT(slots.Take("acme", "apiKey:a"), FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_WATCHES"));
}

TEST(CallSlotsTest, OneCallerLeavesSomeForAnotherAndAnOrganizationHasSoMany) {
  static_assert(kWatchSlots.per_caller < kWatchSlots.per_organization);
  CallSlots slots(kWatchSlots);
  std::vector<CallSlots::Slot> taken;
  for (size_t i = 0; i < kMaxWatchesPerOrganization; ++i) {
    auto slot = slots.Take("acme", absl::StrCat("apiKey:", i / kWatchSlots.per_caller));
    ASSERT_THAT(slot, IsOk());
    taken.push_back(*std::move(slot));
  }
  EXPECT_THAT(slots.Take("acme", "apiKey:last"), FailsWith(StatusCode::kResourceExhausted, "TOO_MANY_WATCHES"));
  EXPECT_THAT(slots.Take("other", "apiKey:last"), IsOk());
  taken.pop_back();
  EXPECT_THAT(slots.Take("acme", "apiKey:last"), IsOk());
}

class SetWaitTest : public testing::Test {
 protected:
  using Answer = absl::StatusOr<SecretSetView>;

  // Begins to wait; the answer comes by Answered.
  void Wait(SetWait wait) {
    wait.organization = "acme";
    wait.name = "app";
    WaitUntilReady(*scene_.deps, std::move(wait), [this](Answer answer) {
      answer_ = std::move(answer);
      answered_.Notify();
    });
  }
  Answer Answered() {
    answered_.WaitForNotification();
    return answer_;
  }

  ApiScene scene_;
  absl::Notification answered_;
  Answer answer_ = absl::UnknownError("not answered");
};

TEST_F(SetWaitTest, AnswersAtOnceWhenTheSetIsReady) {
  scene_.SetReady("app", {{"A", "1"}});
  Wait({});
  EXPECT_EQ(Answered()->status.readiness, Readiness::kReady);
}

TEST_F(SetWaitTest, AnswersWhenTheRegionAcks) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  Wait({});
  ASSERT_TRUE(scene_.Ack("app"));
  EXPECT_EQ(Answered()->status.readiness, Readiness::kReady);
}

TEST_F(SetWaitTest, AnswersWhenTheRegionRefuses) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  Wait({});
  ASSERT_TRUE(scene_.Nack("us-west", SetObject("app"), "full"));
  EXPECT_EQ(Answered()->status.readiness, Readiness::kFailed);
}

TEST_F(SetWaitTest, WaitsForTheGenerationThatIsAskedFor) {
  scene_.SetReady("app", {{"A", "1"}});
  Wait({.generation = 2});
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  ASSERT_TRUE(scene_.Ack("app"));
  EXPECT_EQ(Answered()->set.generation, 2);
  EXPECT_EQ(Answered()->status.readiness, Readiness::kReady);
}

TEST_F(SetWaitTest, AnswersWithTheSetAsItIsWhenTheTimeEnds) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  Wait({.timeout = absl::Seconds(10)});
  scene_.clock.Advance(absl::Seconds(10));
  ASSERT_THAT(scene_.Set("app", {{"A", "2"}}), IsOk());
  EXPECT_EQ(Answered()->status.readiness, Readiness::kPending);
}

TEST_F(SetWaitTest, AnswersNotFoundWhenTheSetGoesEvenIfAnotherTakesItsName) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  const auto answer = Await<Answer>([&](std::function<void(Answer)> done) {
    WaitUntilReady(*scene_.deps, {.organization = "acme", .name = "app"}, std::move(done));
    while (!scene_.Delete(scene_.Write("app")).ok()) continue;
    EXPECT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
    scene_.Ack("app");
  });
  // Begun before or after the delete: never the first set as ready.
  if (answer.ok()) {
    EXPECT_EQ(answer->set.uid, scene_.Get("app")->set.uid);
  } else {
    EXPECT_THAT(answer, FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
  }
}

TEST_F(SetWaitTest, AnUnknownSetIsNotFoundAtOnce) {
  Wait({});
  EXPECT_THAT(Answered(), FailsWith(StatusCode::kNotFound, "SECRET_SET_NOT_FOUND"));
}

TEST_F(SetWaitTest, EndsWhenNobodyWaitsAnyMore) {
  ASSERT_THAT(scene_.Set("app", {{"A", "1"}}), IsOk());
  Wait({.cancelled = [] { return true; }});
  EXPECT_THAT(Answered(), StatusIs(StatusCode::kCancelled));
}

TEST_F(SetWaitTest, TimeoutsAreUpToFiveMinutesAndGenerationsNotNegative) {
  scene_.SetReady("app", {{"A", "1"}});
  const auto wait = [&](SetWait wait) {
    wait.organization = "acme";
    wait.name = "app";
    return Await<Answer>(
        [&](std::function<void(Answer)> done) { WaitUntilReady(*scene_.deps, wait, std::move(done)); });
  };
  EXPECT_THAT(wait({.timeout = kMaxWait}), IsOk());
  EXPECT_THAT(wait({.timeout = kMaxWait + absl::Nanoseconds(1)}),
              FailsWith(StatusCode::kInvalidArgument, "INVALID_TIMEOUT"));
  EXPECT_THAT(wait({.timeout = -absl::Nanoseconds(1)}), FailsWith(StatusCode::kInvalidArgument, "INVALID_TIMEOUT"));
  EXPECT_THAT(wait({.generation = -1}), FailsWith(StatusCode::kInvalidArgument, "INVALID_GENERATION"));
}

}  // namespace
}  // namespace keyferry

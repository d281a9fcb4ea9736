// What an owner is sent and what its answers do, over sessions and a fake region.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/testing/fake_region.h"

namespace keyferry {
namespace {

constexpr char kRegion[] = "us-west";
const ObjectId kObject = SetNamed("my-set");

class EventFeedTest : public ::testing::Test {
 protected:
  EventFeedTest() { scene_.CreateRegion(kRegion); }

  // Connected, granted, synced, idle.
  void Connect(const std::function<void(v1::Hello&)>& change = [](v1::Hello&) {}, char boot_id = 'b') {
    provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1", boot_id);
    v1::Hello hello = provisioner_->MakeHello();
    change(hello);
    provisioner_->SayHello(hello);
    Settle(scene_, {provisioner_.get()});
  }
  // Dies with whatever is in flight.
  void Die() {
    provisioner_->Break();
    scene_.executor().RunUntilIdle();
    provisioner_.reset();
  }
  std::vector<v1::Event> NextEvents() {
    scene_.executor().RunUntilIdle();
    return provisioner_->TakeEvents();
  }
  std::vector<v1::Event> AllEvents() {
    std::vector<v1::Event> all;
    for (auto some = NextEvents(); !some.empty(); some = NextEvents()) all.insert(all.end(), some.begin(), some.end());
    return all;
  }
  void PassTime(absl::Duration duration) { Pass(scene_, duration, {provisioner_.get()}); }
  // As PassTime, answering no event; bookmarks and the like are taken.
  void PassSilently(absl::Duration duration) {
    for (absl::Duration passed; passed < duration; passed += absl::Seconds(1)) {
      scene_.executor().Advance(absl::Seconds(1));
      provisioner_->Heartbeat();
      scene_.executor().RunUntilIdle();
    }
  }
  v1::Ack FailureOf(const ObjectId& object, const std::string& reason, bool permanent) {
    v1::Ack ack;
    *ack.mutable_object() = WireOf(object);
    ack.set_error_reason(reason);
    ack.set_permanent(permanent);
    return ack;
  }
  const ProvisioningCounters& Counters() { return scene_.directory().Memory(kRegion)->counters; }

  RegionScene scene_;
  FakeRegion region_{kRegion};
  std::unique_ptr<FakeProvisioner> provisioner_;
};

TEST_F(EventFeedTest, AWriteRingsTheDoorbellAndBecomesReady) {
  Connect();
  const std::string payload = scene_.Write(kRegion, "my-set");
  Settle(scene_, {provisioner_.get()});
  EXPECT_EQ(region_.Held(kObject), payload);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(EventFeedTest, OnlyARegionThatKeepsUpIsServedPromptly) {
  for (const auto& short_of : std::vector<std::function<void(v1::Hello&)>>{[](v1::Hello& hello) { hello.set_max_inflight_objects(3); },
                                                                           [](v1::Hello& hello) { hello.set_max_inflight_bytes(3 * 1512); }}) {
    const int before = scene_.prompt_count();
    region_.Wipe(static_cast<char>('a' + before));
    provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1");
    v1::Hello hello = provisioner_->MakeHello();
    short_of(hello);
    provisioner_->SayHello(hello);
    scene_.executor().RunUntilIdle();
    EXPECT_EQ(scene_.prompt_count(), before) << "in a resync";
    Settle(scene_, {provisioner_.get()});
    const int synced = scene_.prompt_count();
    for (int i = 0; i < 3; ++i) scene_.Write(kRegion, absl::StrCat("set-", i), 1000);
    const std::vector<v1::Event> events = AllEvents();
    ASSERT_EQ(events.size(), 3u);
    EXPECT_GT(scene_.prompt_count(), synced);
    for (int i = 3; i < 6; ++i) scene_.Write(kRegion, absl::StrCat("set-", i), 1000);
    scene_.executor().RunUntilIdle();
    const int full = scene_.prompt_count();
    provisioner_->Ack(events[0]);
    const std::vector<v1::Event> next = AllEvents();
    ASSERT_EQ(next.size(), 1u);
    EXPECT_EQ(scene_.prompt_count(), full) << "as much in flight as may be";
    for (const v1::Event& event : {events[1], events[2], next[0]}) provisioner_->Ack(event);
    Settle(scene_, {provisioner_.get()});
    scene_.Write(kRegion, "set-0");
    Settle(scene_, {provisioner_.get()});
    EXPECT_GT(scene_.prompt_count(), full);
    Die();
  }
}

TEST_F(EventFeedTest, AnAuditGivesWay) {
  Connect();
  scene_.Write(kRegion, "my-set");
  Settle(scene_, {provisioner_.get()});
  const int before = scene_.background_count();
  scene_.directory().BeginAudit(kRegion);
  Settle(scene_, {provisioner_.get()});
  EXPECT_EQ(scene_.background_count(), before + 1);
}

TEST_F(EventFeedTest, ARegionWithMuchThatFailsGivesWay) {
  for (const int failing : {64, 65}) {
    Connect();
    for (int i = 0; i < failing; ++i) {
      const ObjectId object = SetNamed(absl::StrCat("set-", i));
      region_.failing[object] = FailureOf(object, "SINK_FULL", false);
      scene_.Write(kRegion, object.name);
    }
    PassTime(absl::Seconds(12));
    const int before = scene_.prompt_count();
    scene_.directory().BeginAudit(kRegion);
    scene_.executor().RunUntilIdle();
    EXPECT_EQ(scene_.prompt_count() > before, failing == 64) << failing;
    Die();
  }
}

TEST_F(EventFeedTest, WhatWasWrittenWhileTheRegionWasAwayIsSentOnConnect) {
  const std::string payload = scene_.Write(kRegion, "my-set");
  Connect();
  EXPECT_EQ(region_.Held(kObject), payload);
}

TEST_F(EventFeedTest, TwoRegionsNeverMix) {
  scene_.CreateRegion("us-east");
  FakeRegion east("us-east");
  Connect();
  FakeProvisioner other(east, scene_.directory(), "p1");
  other.SayHello();
  scene_.Write("us-east", "my-set");
  Settle(scene_, {provisioner_.get(), &other});
  EXPECT_FALSE(region_.Held(kObject));
  EXPECT_TRUE(east.Held(kObject));
  EXPECT_EQ(scene_.ReadinessOf("us-east", kObject), Readiness::kReady);
}

TEST_F(EventFeedTest, OneRevisionOfAnObjectIsInFlightAndOnlyTheNewestFollows) {
  Connect();
  scene_.Write(kRegion, "my-set");
  const std::vector<v1::Event> first = NextEvents();
  ASSERT_EQ(first.size(), 1u);
  std::string newest;
  for (int i = 0; i < 50; ++i) newest = scene_.Write(kRegion, "my-set");
  EXPECT_TRUE(AllEvents().empty());
  provisioner_->Ack(first[0]);
  const std::vector<v1::Event> second = AllEvents();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].payload(), newest);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kPending);
  provisioner_->Ack(second[0]);
  scene_.executor().RunUntilIdle();
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
  EXPECT_EQ(Counters().stale_acks, 1);
}

TEST_F(EventFeedTest, ObjectsInFlightNeverExceedTheCredit) {
  Connect([](v1::Hello& hello) { hello.set_max_inflight_objects(3); });
  for (int i = 0; i < 10; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  std::vector<v1::Event> events = AllEvents();
  ASSERT_EQ(events.size(), 3u);
  provisioner_->Ack(events[1]);
  events = AllEvents();
  EXPECT_EQ(events.size(), 1u);
}

TEST_F(EventFeedTest, TheServersOwnLimitHoldsWhateverHelloSays) {
  Connect([](v1::Hello& hello) { hello.set_max_inflight_objects(1000); });
  for (int i = 0; i < kMaxInflightObjects + 5; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  EXPECT_EQ(AllEvents().size(), static_cast<size_t>(kMaxInflightObjects));
}

TEST_F(EventFeedTest, BytesInFlightNeverExceedTheCredit) {
  // Three of 1000 bytes and their overhead of 512 fit, a fourth would not.
  Connect([](v1::Hello& hello) { hello.set_max_inflight_bytes(3 * 1512); });
  for (int i = 0; i < 5; ++i) scene_.Write(kRegion, absl::StrCat("set-", i), 1000);
  EXPECT_EQ(AllEvents().size(), 3u);
}

TEST_F(EventFeedTest, OneByteLessOfCreditIsOneObjectLess) {
  Connect([](v1::Hello& hello) { hello.set_max_inflight_bytes(3 * 1512 - 1); });
  for (int i = 0; i < 5; ++i) scene_.Write(kRegion, absl::StrCat("set-", i), 1000);
  EXPECT_EQ(AllEvents().size(), 2u);
}

TEST_F(EventFeedTest, AnObjectLargerThanTheCreditTravelsAlone) {
  Connect([](v1::Hello& hello) { hello.set_max_inflight_bytes(100); });
  scene_.Write(kRegion, "set-1", 1000);
  scene_.Write(kRegion, "set-2", 1000);
  const std::vector<v1::Event> events = AllEvents();
  ASSERT_EQ(events.size(), 1u);
  provisioner_->Ack(events[0]);
  EXPECT_EQ(AllEvents().size(), 1u);
}

TEST_F(EventFeedTest, BatchesHoldAtMostSixteenEvents) {
  Connect();
  for (int i = 0; i < kMaxEventsPerBatch + 1; ++i) {
    scene_.CommitLater(scene_.WritePlan(kRegion, SetNamed(absl::StrCat("set-", i)), "payload", std::string(32, 'a')));
  }
  for (const v1::ApiMessage& message : provisioner_->log()) EXPECT_LE(message.events().events_size(), kMaxEventsPerBatch);
  EXPECT_EQ(AllEvents().size(), static_cast<size_t>(kMaxEventsPerBatch + 1));
}

TEST_F(EventFeedTest, TheCreditOfAcksThatWereSettledTogetherIsSpentTogether) {
  Connect([](v1::Hello& hello) { hello.set_max_inflight_objects(kMaxEventsPerBatch); });
  for (int i = 0; i < 2 * kMaxEventsPerBatch; ++i) scene_.Write(kRegion, absl::StrCat("set-", 10 + i));
  const std::vector<v1::Event> first = AllEvents();
  ASSERT_EQ(first.size(), static_cast<size_t>(kMaxEventsPerBatch));
  const size_t messages = provisioner_->log().size();
  v1::ProvisionerMessage answer;
  for (const v1::Event& event : first) *answer.mutable_acks()->add_acks() = region_.Apply(event);
  provisioner_->Say(answer);
  EXPECT_EQ(AllEvents().size(), static_cast<size_t>(kMaxEventsPerBatch));
  EXPECT_EQ(provisioner_->log().size(), messages + 1);
}

TEST_F(EventFeedTest, AcksAreSettledWhetherTheirCommitIsPlannedOnTheStrandOrBesideIt) {
  for (const size_t count : {kMaxAcksPlannedOnStrand, kMaxAcksPlannedOnStrand + 1}) {
    Connect([count](v1::Hello& hello) { hello.set_max_inflight_objects(static_cast<uint32_t>(count)); });
    for (size_t i = 0; i < count; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
    v1::ProvisionerMessage answer;
    for (const v1::Event& event : AllEvents()) *answer.mutable_acks()->add_acks() = region_.Apply(event);
    ASSERT_EQ(answer.acks().acks_size(), static_cast<int>(count));
    provisioner_->Say(answer);
    scene_.executor().RunUntilIdle();
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed(absl::StrCat("set-", i))), Readiness::kReady);
  }
}

TEST_F(EventFeedTest, BatchesHoldAtMostOneMebibyte) {
  for (int i = 0; i < 8; ++i) scene_.Write(kRegion, absl::StrCat("set-", i), 300'000);
  Connect();
  for (const v1::ApiMessage& message : provisioner_->log()) EXPECT_LE(message.ByteSizeLong(), kMaxEventBatchBytes);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed(absl::StrCat("set-", i))), Readiness::kReady);
}

TEST_F(EventFeedTest, AFailedObjectIsRetriedAfterItsBackoffAndNotBefore) {
  Connect();
  region_.failing[kObject] = FailureOf(kObject, "SINK_FULL", false);
  scene_.Write(kRegion, "my-set");
  Settle(scene_, {provisioner_.get()});
  const int64_t events = Counters().events;
  region_.failing.clear();
  scene_.executor().Advance(absl::Milliseconds(900));
  EXPECT_EQ(Counters().events, events);
  PassTime(absl::Seconds(2));
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
  EXPECT_EQ(scene_.IndexEntries(), 0u);
}

TEST_F(EventFeedTest, OneBadObjectHoldsUpNoOther) {
  Connect();
  region_.failing[kObject] = FailureOf(kObject, "SINK_FULL", false);
  scene_.Write(kRegion, "my-set");
  scene_.Write(kRegion, "good-set");
  Settle(scene_, {provisioner_.get()});
  EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed("good-set")), Readiness::kReady);
}

TEST_F(EventFeedTest, APermanentFailureIsNotSentAgainUntilItIsWrittenAgain) {
  Connect();
  region_.failing[kObject] = FailureOf(kObject, "CANNOT_OPEN", true);
  scene_.Write(kRegion, "my-set");
  Settle(scene_, {provisioner_.get()});
  const int64_t events = Counters().events;
  region_.failing.clear();
  PassTime(absl::Minutes(6));
  EXPECT_EQ(Counters().events, events);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kFailed);
  scene_.Write(kRegion, "my-set");
  Settle(scene_, {provisioner_.get()});
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(EventFeedTest, AcksOfAnotherEpochOrIncarnationAreDroppedAndCounted) {
  Connect();
  scene_.Write(kRegion, "my-set");
  const v1::Event event = NextEvents().at(0);
  v1::Ack ack = region_.Apply(event);
  ack.set_epoch(event.epoch() + 1);
  provisioner_->Ack(ack);
  ack.set_epoch(event.epoch());
  ack.set_target_incarnation(std::string(16, 'x'));
  provisioner_->Ack(ack);
  scene_.executor().RunUntilIdle();
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kPending);
  EXPECT_EQ(Counters().stale_acks, 2);
}

TEST_F(EventFeedTest, AWrongDigestIsCountedAndRetried) {
  Connect();
  scene_.Write(kRegion, "my-set");
  v1::Ack ack = region_.Apply(NextEvents().at(0));
  ack.set_digest(std::string(32, 'x'));
  provisioner_->Ack(ack);
  scene_.executor().RunUntilIdle();
  EXPECT_EQ(Counters().digest_mismatches, 1);
  PassTime(absl::Seconds(2));
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(EventFeedTest, SuspectsAreSentAloneAfterEverythingElse) {
  Connect();
  for (const char* name : {"set-1", "set-2"}) scene_.Write(kRegion, name);
  ASSERT_EQ(AllEvents().size(), 2u);
  Die();
  for (const char* name : {"set-3", "set-4"}) scene_.Write(kRegion, name);
  provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1", 'c');
  provisioner_->SayHello();
  std::vector<v1::Event> events = AllEvents();
  std::erase_if(events, [](const v1::Event& event) { return event.operation() == v1::OPERATION_RETAIN; });
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].object().name(), "set-3");
  provisioner_->Ack(events[0]);
  EXPECT_TRUE(AllEvents().empty());
  provisioner_->Ack(events[1]);
  events = AllEvents();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].object().name(), "set-1");
  scene_.Write(kRegion, "set-5");
  EXPECT_TRUE(AllEvents().empty());
  provisioner_->Ack(events[0]);
  Settle(scene_, {provisioner_.get()});
  for (const char* name : {"set-1", "set-2", "set-5"}) EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed(name)), Readiness::kReady);
}

TEST_F(EventFeedTest, ASuspectsTurnComesAlsoUnderSteadyLoad) {
  Connect();
  scene_.Write(kRegion, "my-set");
  ASSERT_EQ(AllEvents().size(), 1u);
  Die();
  Connect([](v1::Hello& hello) { hello.set_max_inflight_objects(1); }, 'c');
  for (int i = 0; i < 8 && scene_.ReadinessOf(kRegion, kObject) != Readiness::kReady; ++i) {
    scene_.Write(kRegion, absl::StrCat("load-", i));
    PassTime(absl::Seconds(1));
  }
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(EventFeedTest, WhatKillsItsProvisionerThreeTimesIsPoison) {
  Connect();
  scene_.Write(kRegion, "my-set");
  for (int death = 0; death < kPoisonThreshold; ++death) {
    EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kPending);
    scene_.executor().RunUntilIdle();
    Die();
    provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1", static_cast<char>('c' + death));
    provisioner_->SayHello();
  }
  Settle(scene_, {provisioner_.get()});
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kFailed);
  EXPECT_EQ(scene_.Rows(kRegion, kObject).observed->error_reason, kPoison);
  EXPECT_FALSE(region_.Held(kObject));
}

TEST_F(EventFeedTest, AReconnectOfTheSameProcessSuspectsNobody) {
  Connect();
  scene_.Write(kRegion, "my-set");
  scene_.executor().RunUntilIdle();
  FakeProvisioner again(region_, scene_.directory(), "p1", 'b');
  again.SayHello();
  Settle(scene_, {&again});
  EXPECT_EQ(scene_.Rows(kRegion, kObject).observed->suspect, 0);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(EventFeedTest, AStalledEventIsRedeliveredOnceAndThenTheStreamEnds) {
  Connect();
  scene_.Write(kRegion, "my-set");
  ASSERT_EQ(AllEvents().size(), 1u);
  PassSilently(absl::Seconds(59));
  EXPECT_EQ(Counters().redeliveries, 0);
  PassSilently(absl::Seconds(2));
  EXPECT_EQ(Counters().redeliveries, 1);
  PassSilently(absl::Seconds(60));
  EXPECT_EQ(Counters().redeliveries, 1);
  EXPECT_FALSE(provisioner_->finished());
  PassSilently(absl::Seconds(60));
  EXPECT_THAT(*provisioner_->finished(), FailsWith(absl::StatusCode::kUnavailable, "STALLED"));
}

TEST_F(EventFeedTest, WhoNeverAnswersIsEndedHoweverOftenIsWritten) {
  Connect();
  for (int i = 0; i < 5; ++i) {
    scene_.Write(kRegion, "my-set");
    PassSilently(absl::Seconds(35));
  }
  EXPECT_FALSE(provisioner_->finished());
  scene_.Write(kRegion, "my-set");
  PassSilently(absl::Seconds(10));
  EXPECT_THAT(*provisioner_->finished(), FailsWith(absl::StatusCode::kUnavailable, "STALLED"));
}

TEST_F(EventFeedTest, ProgressPutsTheStallOff) {
  Connect();
  scene_.Write(kRegion, "my-set");
  ASSERT_EQ(AllEvents().size(), 1u);
  for (int i = 0; i < 30; ++i) {
    v1::ProvisionerMessage message;
    *message.mutable_progress()->add_objects() = WireOf(kObject);
    provisioner_->Say(message);
    scene_.executor().Advance(absl::Seconds(10));
  }
  EXPECT_EQ(Counters().redeliveries, 0);
  EXPECT_FALSE(provisioner_->finished());
}

TEST_F(EventFeedTest, ABookmarkFollowsWhenTheRegionIsIdleWithTheHeadAsFloor) {
  Connect();
  scene_.Write(kRegion, "my-set");
  Settle(scene_, {provisioner_.get()});
  PassTime(absl::Seconds(1));
  const v1::Bookmark& bookmark = provisioner_->Last(&v1::ApiMessage::has_bookmark)->bookmark();
  EXPECT_EQ(bookmark.head_revision(), scene_.store().Head());
  EXPECT_EQ(bookmark.settled_floor(), scene_.store().Head());
  EXPECT_EQ(bookmark.pending_count(), 0u);
}

TEST_F(EventFeedTest, TheFloorStaysBelowTheLowestUnsettledRevisionAlsoInRetry) {
  Connect();
  region_.failing[kObject] = FailureOf(kObject, "SINK_FULL", false);
  scene_.Write(kRegion, "my-set");
  const uint64_t revision = scene_.Rows(kRegion, kObject).desired->revision;
  scene_.Write(kRegion, "other-set");
  PassTime(absl::Seconds(11));
  const v1::Bookmark& bookmark = provisioner_->Last(&v1::ApiMessage::has_bookmark)->bookmark();
  EXPECT_EQ(bookmark.settled_floor(), revision - 1);
  EXPECT_EQ(bookmark.pending_count(), 1u);
}

TEST_F(EventFeedTest, DeleteAndRecreateInTheSameRegionWhileItIsAway) {
  Connect();
  scene_.Write(kRegion, "my-set");
  Settle(scene_, {provisioner_.get()});
  Die();
  scene_.Erase(kRegion, "my-set");
  const std::string payload = scene_.Write(kRegion, "my-set");
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kPending);
  Connect();
  EXPECT_EQ(region_.Held(kObject), payload);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(EventFeedTest, DeleteAndRecreateInAnotherRegionAreIndependent) {
  scene_.CreateRegion("us-east");
  FakeRegion east("us-east");
  Connect();
  scene_.Write(kRegion, "my-set");
  Settle(scene_, {provisioner_.get()});
  Die();
  scene_.Erase(kRegion, "my-set");
  scene_.Write("us-east", "my-set");
  FakeProvisioner other(east, scene_.directory(), "p1");
  other.SayHello();
  Settle(scene_, {&other});
  EXPECT_EQ(scene_.ReadinessOf("us-east", kObject), Readiness::kReady);
  EXPECT_TRUE(region_.Held(kObject));
  Connect();
  EXPECT_FALSE(region_.Held(kObject));
  EXPECT_FALSE(scene_.ReadinessOf(kRegion, kObject));
  EXPECT_EQ(scene_.ReadinessOf("us-east", kObject), Readiness::kReady);
}

TEST_F(EventFeedTest, AMissedDoorbellIsMadeGoodByTheRescan) {
  Connect();
  scene_.store().deaf = true;
  scene_.Write(kRegion, "my-set");
  PassTime(kRescanInterval - absl::Seconds(1));
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kPending);
  PassTime(absl::Seconds(2));
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

}  // namespace
}  // namespace keyferry

// What defects may not do: damaged rows, deaths and lies in one place must not hurt in another.
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/testing/fake_region.h"

namespace keyferry {
namespace {

constexpr char kRegion[] = "us-west";
const ObjectId kObject = SetNamed("my-set");

class RegionFaultsTest : public ::testing::Test {
 protected:
  RegionFaultsTest() { scene_.CreateRegion(kRegion); }

  // Says Hello; answers nothing yet.
  void Begin(char boot_id = 'b') {
    provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1", boot_id);
    provisioner_->SayHello();
    scene_.executor().RunUntilIdle();
  }
  void Connect(char boot_id = 'b') {
    Begin(boot_id);
    SettleAll();
  }
  void Die() {
    provisioner_->Break();
    scene_.executor().RunUntilIdle();
    provisioner_.reset();
  }
  void SettleAll() { Settle(scene_, {provisioner_.get()}); }
  void PassTime(absl::Duration duration) { Pass(scene_, duration, {provisioner_.get()}); }
  std::vector<v1::Event> NextEvents() {
    scene_.executor().RunUntilIdle();
    return provisioner_->TakeEvents();
  }
  int SuspectsOf(const std::string& name) {
    return scene_.Rows(kRegion, SetNamed(name)).observed.value_or(Observation{}).suspect;
  }
  int SyncsBegun() {
    return static_cast<int>(std::count_if(provisioner_->log().begin(), provisioner_->log().end(),
                                          [](const v1::ApiMessage& message) { return message.has_sync_begin(); }));
  }
  bool SyncEnded() { return provisioner_->Last(&v1::ApiMessage::has_sync_end) != nullptr; }
  const ProvisioningCounters& Counters() { return scene_.directory().Memory(kRegion)->counters; }

  RegionScene scene_;
  FakeRegion region_{kRegion};
  std::unique_ptr<FakeProvisioner> provisioner_;
};

TEST_F(RegionFaultsTest, AnIncarnationThatReturnsIsSyncedInFull) {
  scene_.Write(kRegion, "my-set");
  scene_.Write(kRegion, "other-set");
  Connect();
  Die();
  scene_.Write(kRegion, "my-set");
  FakeRegion other(kRegion, 'j');
  {
    FakeProvisioner elsewhere(other, scene_.directory(), "p2");
    elsewhere.SayHello();
    scene_.executor().RunUntilIdle();
    // One write is proved there; the resync is not completed.
    for (const v1::Event& event : elsewhere.TakeEvents()) {
      if (event.object().name() == "my-set" && event.operation() == v1::OPERATION_APPLY) elsewhere.Ack(event);
    }
    scene_.executor().RunUntilIdle();
    ASSERT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
    elsewhere.Break();
    scene_.executor().RunUntilIdle();
  }
  Connect('c');
  EXPECT_EQ(SyncsBegun(), 1);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
  EXPECT_EQ(region_.Held(kObject), other.Held(kObject));
}

TEST_F(RegionFaultsTest, AResyncThatCouldNotReadARowNeitherEndsNorIsRecordedAndBeginsAgain) {
  for (int i = 0; i < 40; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  const RowKey bad = keys::Desired(kRegion, SetNamed("set-7"));
  scene_.store().damaged = [&](const RowKey& key) { return key == bad; };
  Connect();
  PassTime(absl::Seconds(25));
  EXPECT_EQ(SyncsBegun(), 1);
  EXPECT_FALSE(SyncEnded());
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, "");
  EXPECT_EQ(provisioner_->Last(&v1::ApiMessage::has_bookmark)->bookmark().settled_floor(), 0u);
  EXPECT_FALSE(provisioner_->finished());
  for (int i = 0; i < 40; ++i) EXPECT_EQ(region_.Held(SetNamed(absl::StrCat("set-", i))).has_value(), i != 7) << i;
  scene_.store().damaged = nullptr;
  PassTime(absl::Seconds(6));
  EXPECT_EQ(SyncsBegun(), 2);
  EXPECT_TRUE(region_.Held(SetNamed("set-7")));
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, region_.incarnation());
}

TEST_F(RegionFaultsTest, AResyncThatCouldNotReadAPayloadIsNotRecordedEither) {
  scene_.Write(kRegion, "my-set");
  Connect();
  Die();
  region_.Wipe('j');
  scene_.store().damaged = [](const RowKey& key) { return key.family == Family::kGenerations; };
  Connect('c');
  EXPECT_FALSE(SyncEnded());
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, "");
  scene_.store().damaged = nullptr;
  PassTime(kMinResyncDelay + absl::Seconds(1));
  EXPECT_TRUE(region_.Held(kObject));
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, std::string(16, 'j'));
}

TEST_F(RegionFaultsTest, WhatStaysUnreadableIsNotWalkedAllTheTime) {
  scene_.Write(kRegion, "my-set");
  scene_.store().damaged = [](const RowKey& key) { return key.family == Family::kGenerations; };
  Connect();
  PassTime(absl::Minutes(10));
  EXPECT_GE(SyncsBegun(), 3);
  EXPECT_LE(SyncsBegun(), 6);
}

TEST_F(RegionFaultsTest, AnAuditTakesADamagedRowForNoStray) {
  for (int i = 0; i < 20; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  Connect();
  const RowKey bad = keys::Desired(kRegion, SetNamed("set-7"));
  scene_.store().damaged = [&](const RowKey& key) { return key == bad; };
  scene_.directory().BeginAudit(kRegion);
  SettleAll();
  scene_.store().damaged = nullptr;
  EXPECT_EQ(scene_.Rows(kRegion, SetNamed("set-7")).desired->operation, Operation::kApply);
  EXPECT_TRUE(region_.Held(SetNamed("set-7")));
  EXPECT_FALSE(provisioner_->finished());
}

TEST_F(RegionFaultsTest, AcksThatAnOlderEpochHeardWriteNothing) {
  Connect();
  scene_.Write(kRegion, "my-set");
  const v1::Event event = NextEvents().at(0);
  ASSERT_THAT(scene_.Commit([](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(auto state, transaction.Get<RegionStateRow>(keys::RegionState(kRegion)));
    state->value.epoch++;
    transaction.Put(keys::RegionState(kRegion), Encode(state->value));
    return absl::OkStatus();
  }), IsOk());
  provisioner_->Ack(event);
  scene_.executor().RunUntilIdle();
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kPending);
  EXPECT_EQ(Counters().stale_acks, 1);
}

TEST_F(RegionFaultsTest, AHalfCloseIsOrderlyAndSuspectsNobody) {
  Connect();
  scene_.Write(kRegion, "my-set");
  scene_.executor().RunUntilIdle();
  provisioner_->HalfClose();
  scene_.executor().Advance(kHalfCloseGrace);
  EXPECT_THAT(*provisioner_->finished(), IsOk());
  EXPECT_EQ(SuspectsOf("my-set"), 0);
}

TEST_F(RegionFaultsTest, ABreakRightAfterAHalfCloseIsADeath) {
  Connect();
  scene_.Write(kRegion, "my-set");
  scene_.executor().RunUntilIdle();
  provisioner_->HalfClose();
  provisioner_->Break();
  scene_.executor().RunUntilIdle();
  EXPECT_EQ(SuspectsOf("my-set"), 1);
}

TEST_F(RegionFaultsTest, WhatWasAnsweredAndNotYetSettledIsNoSuspect) {
  Connect();
  scene_.Write(kRegion, "my-set");
  scene_.Write(kRegion, "other-set");
  std::vector<v1::Event> events = NextEvents();
  for (const v1::Event& event : NextEvents()) events.push_back(event);
  ASSERT_EQ(events.size(), 2u);
  v1::Ack ack = region_.Apply(events[0]);
  ack.set_result(v1::ACK_RESULT_FAILED);
  provisioner_->Ack(ack);
  provisioner_->Break();
  scene_.executor().RunUntilIdle();
  EXPECT_EQ(SuspectsOf("my-set"), 0);
  EXPECT_EQ(SuspectsOf("other-set"), 1);
}

TEST_F(RegionFaultsTest, AnApiThatStoodStillJudgesNoLeaseThen) {
  Connect();
  scene_.Write(kRegion, "my-set");
  scene_.executor().RunUntilIdle();
  scene_.clock().Advance(absl::Seconds(30));
  scene_.executor().Advance(absl::Seconds(2));
  EXPECT_FALSE(provisioner_->finished());
  scene_.executor().Advance(kLeaseDuration);
  EXPECT_THAT(*provisioner_->finished(), FailsWith(absl::StatusCode::kUnavailable, "LEASE_EXPIRED"));
}

TEST_F(RegionFaultsTest, AReadOfTheApisOwnThatFailsSuspectsNobody) {
  Connect();
  scene_.Write(kRegion, "my-set");
  scene_.executor().RunUntilIdle();
  scene_.store().damaged = [](const RowKey& key) { return key == keys::RegionState(kRegion); };
  scene_.directory().CheckResync(kRegion);
  scene_.executor().RunUntilIdle();
  EXPECT_TRUE(absl::IsDataLoss(*provisioner_->finished()));
  EXPECT_EQ(SuspectsOf("my-set"), 0);
}

TEST_F(RegionFaultsTest, AKillStormCountsOnlyTheOneThatWasInFlightAlone) {
  Connect();
  for (int i = 0; i < 5; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  scene_.executor().RunUntilIdle();
  Die();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(SuspectsOf(absl::StrCat("set-", i)), 1) << i;
  for (int death = 2; death <= kPoisonThreshold; ++death) {
    Begin(static_cast<char>('b' + death));
    Die();
  }
  EXPECT_EQ(scene_.Rows(kRegion, SetNamed("set-0")).observed->error_reason, kPoison);
  for (int i = 1; i < 5; ++i) EXPECT_EQ(SuspectsOf(absl::StrCat("set-", i)), 1) << i;
  Connect('z');
  for (int i = 1; i < 5; ++i) EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed(absl::StrCat("set-", i))), Readiness::kReady) << i;
}

TEST_F(RegionFaultsTest, ARegionThatGoesOnClaimingDisconnectsNobodyElse) {
  scene_.CreateRegion("us-east");
  FakeRegion east("us-east");
  const auto claim = [&] {
    FakeProvisioner liar(region_, scene_.directory(), "p1");
    v1::Hello hello = liar.MakeHello();
    hello.set_max_revision_seen(WithLineage(~uint64_t{0}, scene_.lineage()));
    liar.SayHello(hello);
    scene_.executor().RunUntilIdle();
    EXPECT_TRUE(liar.finished());
  };
  claim();
  FakeProvisioner other(east, scene_.directory(), "p1");
  other.SayHello();
  Settle(scene_, {&other});
  for (int i = 0; i < 3; ++i) claim();
  EXPECT_EQ(other.Last(&v1::ApiMessage::has_drain), nullptr);
  EXPECT_FALSE(other.finished());
  EXPECT_EQ(scene_.rewind_count(), 1);
}

TEST_F(RegionFaultsTest, AnAckThatIsFasterThanTheHeadIsNoRewind) {
  Connect();
  scene_.store().head = scene_.store().Head();
  scene_.Write(kRegion, "my-set");
  SettleAll();
  EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed("my-set")), Readiness::kReady);
  Die();
  Connect('c');
  EXPECT_FALSE(provisioner_->finished());
  EXPECT_EQ(scene_.rewind_count(), 0);
}

TEST_F(RegionFaultsTest, ARetryThatAClockPutFarAheadComesOnceTheClockHasGoneBack) {
  Connect();
  scene_.Write(kRegion, "my-set");
  ASSERT_EQ(NextEvents().size(), 1u);
  const DesiredState desired = *scene_.Rows(kRegion, kObject).desired;
  const absl::Time ahead = scene_.clock().Now() + absl::Hours(1);
  ASSERT_THAT(scene_.Commit([&](Transaction& transaction) {
    return SettleAck(transaction,
                     {.region = kRegion,
                      .target_incarnation = region_.incarnation(),
                      .lineage = scene_.lineage(),
                      .ceiling = desired.revision,
                      .now = ahead,
                      .connected_since = ahead},
                     {.object = kObject, .uid = desired.uid, .revision = desired.revision, .result = AckResult::kFailed, .error_reason = "SINK_ERROR"})
        .status();
  }),
              IsOk());
  Die();
  Connect('c');
  ASSERT_EQ(SyncsBegun(), 0);
  EXPECT_NE(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
  PassTime(kRescanInterval + absl::Seconds(2));
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(RegionFaultsTest, ARegionThatGoesOnClaimingForDaysTakesTenRewindsAndNoMore) {
  const uint64_t lineage = scene_.lineage();
  const auto claim = [&](uint64_t ahead) {
    FakeProvisioner liar(region_, scene_.directory(), "p1");
    v1::Hello hello = liar.MakeHello();
    hello.set_max_revision_seen(WithLineage(~uint64_t{0}, scene_.lineage() + ahead));
    liar.SayHello(hello);
    scene_.executor().RunUntilIdle();
    EXPECT_TRUE(liar.finished());
  };
  for (int hour = 0; hour < 12; ++hour) {
    for (int i = 0; i < 3; ++i) claim(1);
    EXPECT_EQ(scene_.lineage(), lineage + 2 * std::min(hour + 1, 10));
    scene_.clock().Advance(absl::Minutes(59));
    claim(1);
    scene_.clock().Advance(absl::Minutes(1));
  }
  EXPECT_EQ(scene_.lineage(), lineage + 20);
}

TEST_F(RegionFaultsTest, AClaimBeyondTheNextLineageBurnsNone) {
  FakeProvisioner liar(region_, scene_.directory(), "p1");
  v1::Hello hello = liar.MakeHello();
  hello.set_max_revision_seen(WithLineage(1, scene_.lineage() + 2));
  liar.SayHello(hello);
  scene_.executor().RunUntilIdle();
  EXPECT_THAT(*liar.finished(), FailsWith(absl::StatusCode::kFailedPrecondition, "REVISION_OUT_OF_RANGE"));
  EXPECT_EQ(scene_.rewind_count(), 0);
}

TEST_F(RegionFaultsTest, AnAckAboveTheHeadOfWhatIsNotInFlightEndsItsSessionAlone) {
  Connect();
  v1::Ack ack;
  *ack.mutable_object() = WireOf(kObject);
  ack.set_uid(std::string(16, 'u'));
  ack.set_revision(scene_.store().Head() + 1000);
  ack.set_epoch(provisioner_->epoch());
  ack.set_target_incarnation(region_.incarnation());
  ack.set_result(v1::ACK_RESULT_READY);
  provisioner_->Ack(ack);
  scene_.executor().RunUntilIdle();
  EXPECT_THAT(*provisioner_->finished(), FailsWith(absl::StatusCode::kFailedPrecondition, "REVISION_OUT_OF_RANGE"));
  EXPECT_EQ(scene_.rewind_count(), 0);
  EXPECT_EQ(Counters().unknown_acks, 1);
}

TEST_F(RegionFaultsTest, AnAckOfAnImpossibleLineageBurnsNone) {
  Connect();
  scene_.Write(kRegion, "my-set");
  v1::Ack ack = region_.Apply(NextEvents().at(0));
  ack.set_revision(WithLineage(1, scene_.lineage() + kMaxLineagesAhead + 1));
  provisioner_->Ack(ack);
  scene_.executor().RunUntilIdle();
  EXPECT_THAT(*provisioner_->finished(), FailsWith(absl::StatusCode::kFailedPrecondition, "REVISION_OUT_OF_RANGE"));
  EXPECT_EQ(scene_.rewind_count(), 0);
  EXPECT_EQ(SuspectsOf("my-set"), 0);
}

TEST_F(RegionFaultsTest, ASessionEndsWithItsCertificate) {
  FakeProvisioner provisioner(region_, scene_.directory(), "p1", 'b', scene_.clock().Now() + absl::Seconds(10));
  provisioner.SayHello();
  Pass(scene_, absl::Seconds(9), {&provisioner});
  scene_.Write(kRegion, "my-set");
  scene_.executor().RunUntilIdle();
  EXPECT_FALSE(provisioner.finished());
  scene_.executor().Advance(absl::Seconds(1));
  EXPECT_THAT(*provisioner.finished(), FailsWith(absl::StatusCode::kUnauthenticated, "CERTIFICATE_EXPIRED"));
  EXPECT_EQ(SuspectsOf("my-set"), 0);
}

}  // namespace
}  // namespace keyferry

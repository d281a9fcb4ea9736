// Full resyncs, sweeps, new lineages and audits, over sessions and a fake region.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/keys.h"
#include "services/api/regions.h"
#include "services/api/testing/fake_region.h"

namespace keyferry {
namespace {

constexpr char kRegion[] = "us-west";
const ObjectId kObject = SetNamed("my-set");

class FullResyncTest : public ::testing::Test {
 protected:
  FullResyncTest() { scene_.CreateRegion(kRegion); }

  void Connect(char boot_id = 'b') {
    provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1", boot_id);
    provisioner_->SayHello();
    Settle(scene_, {provisioner_.get()});
  }
  void Disconnect() {
    provisioner_.reset();
    scene_.executor().RunUntilIdle();
  }
  void SettleAll() { Settle(scene_, {provisioner_.get()}); }
  void PassTime(absl::Duration duration) { Pass(scene_, duration, {provisioner_.get()}); }
  int64_t Resync(const ResyncOptions& options) {
    const std::unique_ptr<Regions> regions = Regions::Create(scene_.writer(), scene_.clock(), scene_.directory());
    absl::StatusOr<int64_t> retried = absl::UnknownError("not answered");
    regions->Resync(kRegion, options, [&](absl::StatusOr<int64_t> count) { retried = count; });
    SettleAll();
    EXPECT_THAT(retried, IsOk());
    return retried.value_or(-1);
  }
  // Events since the last SyncBegin, by operation.
  std::map<v1::Operation, int> LastSync() {
    std::map<v1::Operation, int> events;
    for (const v1::ApiMessage& message : provisioner_->log()) {
      if (message.has_sync_begin()) events.clear();
      for (const v1::Event& event : message.events().events()) {
        if (!event.sync_id().empty()) ++events[event.operation()];
      }
    }
    return events;
  }
  bool SyncBegan() { return provisioner_->Last(&v1::ApiMessage::has_sync_begin) != nullptr; }
  uint64_t LastFloor() { return provisioner_->Last(&v1::ApiMessage::has_bookmark)->bookmark().settled_floor(); }
  const ProvisioningCounters& Counters() { return scene_.directory().Memory(kRegion)->counters; }

  RegionScene scene_;
  FakeRegion region_{kRegion};
  std::unique_ptr<FakeProvisioner> provisioner_;
};

TEST_F(FullResyncTest, TheFirstConnectIsAFullResyncAndTheNextIsNone) {
  for (int i = 0; i < 40; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  Connect();
  EXPECT_EQ(provisioner_->Last(&v1::ApiMessage::has_sync_end)->sync_end().object_count(), 40u);
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, region_.incarnation());
  EXPECT_EQ(scene_.State(kRegion).synced_lineage, scene_.lineage());
  Disconnect();
  Connect('c');
  EXPECT_FALSE(SyncBegan());
}

TEST_F(FullResyncTest, AWipedRegionGetsEverythingAgain) {
  for (int i = 0; i < 40; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  Connect();
  Disconnect();
  region_.Wipe('j');
  Connect('c');
  EXPECT_EQ(LastSync()[v1::OPERATION_APPLY], 40);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(scene_.ReadinessOf(kRegion, SetNamed(absl::StrCat("set-", i))), Readiness::kReady);
    EXPECT_TRUE(region_.Held(SetNamed(absl::StrCat("set-", i))));
  }
}

TEST_F(FullResyncTest, AnOperatorsResyncRetainsWhatIsReadyWithoutPayload) {
  for (int i = 0; i < 5; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  Connect();
  EXPECT_EQ(Resync({}), 0);
  EXPECT_EQ(LastSync(), (std::map<v1::Operation, int>{{v1::OPERATION_RETAIN, 5}}));
  EXPECT_FALSE(scene_.State(kRegion).resync_requested);
  EXPECT_EQ(Counters().resyncs, 2);
}

TEST_F(FullResyncTest, WhatTheRegionLostIsFoundByRetainAndRepairedUnderANewRevision) {
  const std::string payload = scene_.Write(kRegion, "my-set");
  Connect();
  PassTime(absl::Seconds(1));
  const uint64_t revision = scene_.Rows(kRegion, kObject).desired->revision;
  region_.Lose(kObject);
  Resync({});
  EXPECT_EQ(region_.Held(kObject), payload);
  EXPECT_GT(scene_.Rows(kRegion, kObject).desired->revision, revision);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(FullResyncTest, ASweepComesOnlyAfterTheEndAndSparesWhatIsNewer) {
  Connect();
  region_.objects()[SetNamed("stray")] = {.uid = std::string(16, 'u'), .revision = 1, .payload = "x"};
  region_.objects()[SetNamed("newer")] = {.uid = std::string(16, 'u'), .revision = scene_.store().Head() + 10, .payload = "x"};
  Resync({});
  EXPECT_FALSE(region_.Held(SetNamed("stray")));
  EXPECT_TRUE(region_.Held(SetNamed("newer")));
}

TEST_F(FullResyncTest, TheOperatorsLeaveToSweepReachesTheRegionOnce) {
  Connect();
  Resync({.allow_mass_delete = true});
  EXPECT_TRUE(provisioner_->Last(&v1::ApiMessage::has_sync_end)->sync_end().allow_mass_delete());
  Resync({});
  EXPECT_FALSE(provisioner_->Last(&v1::ApiMessage::has_sync_end)->sync_end().allow_mass_delete());
}

TEST_F(FullResyncTest, RetryFailedGivesNewRevisionsToWhatFailedForGoodAlone) {
  Connect();
  v1::Ack failure;
  failure.set_error_reason("CANNOT_OPEN");
  failure.set_permanent(true);
  region_.failing[kObject] = failure;
  scene_.Write(kRegion, "my-set");
  scene_.Write(kRegion, "good-set");
  SettleAll();
  region_.failing.clear();
  EXPECT_EQ(Resync({}), 0);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kFailed);
  EXPECT_EQ(Resync({.retry_failed = true}), 1);
  // Its ack may meet the record of the resync and is settled at the second try.
  PassTime(absl::Seconds(1));
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(FullResyncTest, TheFloorIsZeroUntilEveryEventOfTheResyncIsAcked) {
  scene_.Write(kRegion, "my-set");
  Connect();
  Disconnect();
  region_.Wipe('j');
  provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1", 'c');
  provisioner_->SayHello();
  scene_.executor().RunUntilIdle();
  const std::vector<v1::Event> events = provisioner_->TakeEvents();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].operation(), v1::OPERATION_APPLY);
  PassTime(absl::Seconds(11));
  ASSERT_NE(provisioner_->Last(&v1::ApiMessage::has_sync_end), nullptr);
  EXPECT_EQ(LastFloor(), 0u);
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, "");
  provisioner_->Ack(events[0]);
  PassTime(absl::Seconds(2));
  EXPECT_EQ(LastFloor(), scene_.store().Head());
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, std::string(16, 'j'));
}

TEST_F(FullResyncTest, AResyncThatWasBrokenOffBeginsAgain) {
  for (int i = 0; i < 100; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  Connect();
  Disconnect();
  region_.Wipe('j');
  provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1", 'c');
  provisioner_->SayHello();
  scene_.executor().RunUntilIdle();
  for (int i = 0; i < 5; ++i) provisioner_->WorkOne();
  scene_.executor().RunUntilIdle();
  Disconnect();
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, "");
  Connect('d');
  EXPECT_GT(LastSync()[v1::OPERATION_RETAIN], 0);
  PassTime(absl::Minutes(1));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(region_.Held(SetNamed(absl::StrCat("set-", i)))) << i;
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, region_.incarnation());
}

TEST_F(FullResyncTest, ARequestDuringAResyncBeginsAnother) {
  scene_.Write(kRegion, "my-set");
  provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1");
  provisioner_->SayHello();
  scene_.executor().RunUntilIdle();
  Resync({});
  EXPECT_EQ(Counters().resyncs, 2);
  EXPECT_FALSE(scene_.State(kRegion).resync_requested);
}

TEST_F(FullResyncTest, WritesDuringAResyncFlowAndAreNotSweptAway) {
  for (int i = 0; i < 200; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1");
  provisioner_->SayHello();
  for (int i = 0; i < 200; ++i) {
    scene_.executor().RunOne();
    if (i % 10 == 0) scene_.Write(kRegion, absl::StrCat("late-", i));
    if (i % 20 == 0) scene_.Erase(kRegion, absl::StrCat("set-", i));
    provisioner_->WorkOne();
  }
  SettleAll();
  for (int i = 0; i < 200; i += 10) EXPECT_TRUE(region_.Held(SetNamed(absl::StrCat("late-", i)))) << i;
  for (int i = 0; i < 200; ++i) EXPECT_EQ(region_.Held(SetNamed(absl::StrCat("set-", i))).has_value(), i % 20 != 0) << i;
  EXPECT_EQ(scene_.IndexEntries(), 0u);
}

TEST_F(FullResyncTest, ARegionThatKnowsMoreThanTheStoreRewindsItUnderANewLineage) {
  scene_.Write(kRegion, "my-set");
  Connect();
  Disconnect();
  region_.objects()[SetNamed("after-backup")] = {.uid = std::string(16, 'u'), .revision = scene_.store().Head() + 1, .payload = "x"};
  const uint64_t lineage = scene_.lineage();
  FakeProvisioner early(region_, scene_.directory(), "p1", 'c');
  v1::Hello hello = early.MakeHello();
  hello.set_max_revision_seen(scene_.store().Head() + 1);
  early.SayHello(hello);
  scene_.executor().RunUntilIdle();
  EXPECT_EQ(early.Last(&v1::ApiMessage::has_drain)->drain().reason(), "REWIND");
  EXPECT_EQ(scene_.lineage(), lineage + 1);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kPending);
  Connect('d');
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
  EXPECT_FALSE(region_.Held(SetNamed("after-backup")));
  EXPECT_EQ(scene_.State(kRegion).synced_lineage, lineage + 1);
  EXPECT_FALSE(region_.went_back);
}

TEST_F(FullResyncTest, AnAckAboveTheHeadRewindsAndDrainsEveryRegion) {
  scene_.CreateRegion("us-east");
  FakeRegion east("us-east");
  Connect();
  FakeProvisioner other(east, scene_.directory(), "p1");
  other.SayHello();
  scene_.Write(kRegion, "my-set");
  scene_.executor().RunUntilIdle();
  std::vector<v1::Event> events;
  while (events.empty()) events = provisioner_->TakeEvents();
  v1::Ack ack = region_.Apply(events[0]);
  ack.set_revision(scene_.store().Head() + 1);
  provisioner_->Ack(ack);
  Settle(scene_, {provisioner_.get(), &other});
  EXPECT_EQ(scene_.rewind_count(), 1);
  EXPECT_EQ(provisioner_->Last(&v1::ApiMessage::has_drain)->drain().reason(), "REWIND");
  EXPECT_EQ(other.Last(&v1::ApiMessage::has_drain)->drain().reason(), "REWIND");
}

TEST_F(FullResyncTest, OneRewindAnHourAndNotMore) {
  for (int i = 0; i < 3; ++i) {
    FakeProvisioner liar(region_, scene_.directory(), "p1");
    v1::Hello hello = liar.MakeHello();
    hello.set_max_revision_seen(WithLineage(~uint64_t{0}, scene_.lineage()));
    liar.SayHello(hello);
    scene_.executor().RunUntilIdle();
  }
  EXPECT_EQ(scene_.rewind_count(), 1);
}

TEST_F(FullResyncTest, DriftGivesANewRevisionToWhatWasReadyAlone) {
  scene_.Write(kRegion, "my-set");
  Connect();
  region_.Lose(kObject);
  const uint64_t head = scene_.store().Head();
  v1::ProvisionerMessage message;
  *message.mutable_drift()->add_objects() = WireOf(kObject);
  *message.mutable_drift()->add_objects() = WireOf(SetNamed("never-there"));
  provisioner_->Say(message);
  SettleAll();
  EXPECT_GT(scene_.Rows(kRegion, kObject).desired->revision, head);
  EXPECT_TRUE(region_.Held(kObject));
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

TEST_F(FullResyncTest, TheInventoryFindsWhatTheRegionLostAndWhatItHoldsTooMuch) {
  for (int i = 0; i < 60; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  Connect();
  PassTime(absl::Seconds(2));
  for (int i = 0; i < 60; i += 2) region_.Lose(SetNamed(absl::StrCat("set-", i)));
  region_.objects()[SetNamed("stray")] = {.uid = std::string(16, 'u'), .revision = region_.floor(), .payload = "x"};
  PassTime(kInventoryInterval);
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(region_.Held(SetNamed(absl::StrCat("set-", i)))) << i;
  EXPECT_FALSE(region_.Held(SetNamed("stray")));
  EXPECT_FALSE(scene_.Rows(kRegion, SetNamed("stray")).desired);
}

TEST_F(FullResyncTest, StraysAreDeletedUpToATenthAndNotOneMore) {
  for (int i = 0; i < 9; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  Connect();
  PassTime(absl::Seconds(2));
  const auto add_stray = [&](const char* name) {
    region_.objects()[SetNamed(name)] = {.uid = std::string(16, 'u'), .revision = 1, .payload = "x"};
  };
  const auto audit = [&] {
    scene_.directory().BeginAudit(kRegion);
    SettleAll();
  };
  add_stray("stray-1");
  add_stray("stray-2");
  audit();
  EXPECT_TRUE(region_.Held(SetNamed("stray-1")));
  EXPECT_TRUE(region_.Held(SetNamed("stray-2")));
  region_.Lose(SetNamed("stray-2"));
  audit();
  EXPECT_FALSE(region_.Held(SetNamed("stray-1")));
}

TEST_F(FullResyncTest, ASyncEndThatIsLostWithItsStreamEndsNothing) {
  Connect();
  Disconnect();
  region_.Wipe('j');
  region_.objects()[SetNamed("stray")] = {.uid = std::string(16, 'u'), .revision = 1, .payload = "x"};
  provisioner_ = std::make_unique<FakeProvisioner>(region_, scene_.directory(), "p1", 'c');
  provisioner_->SayHello();
  scene_.executor().RunUntilIdle();
  ASSERT_NE(provisioner_->Last(&v1::ApiMessage::has_sync_end), nullptr);
  Disconnect();
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, "");
  Connect('d');
  EXPECT_FALSE(region_.Held(SetNamed("stray")));
  EXPECT_EQ(scene_.State(kRegion).synced_incarnation, std::string(16, 'j'));
}

TEST_F(FullResyncTest, AnInventoryThatAgreesTouchesNothing) {
  for (int i = 0; i < 60; ++i) scene_.Write(kRegion, absl::StrCat("set-", i));
  Connect();
  PassTime(absl::Seconds(2));
  const uint64_t head = scene_.store().Head();
  scene_.directory().BeginAudit(kRegion);
  SettleAll();
  EXPECT_EQ(scene_.store().Head(), head);
  EXPECT_TRUE(provisioner_->Last(&v1::ApiMessage::has_inventory_request)->inventory_request().buckets().empty());
}

TEST_F(FullResyncTest, WhatBecameReadyDuringAnAuditIsNotTouched) {
  scene_.Write(kRegion, "my-set");
  Connect();
  scene_.clock().Advance(absl::Seconds(1));
  scene_.directory().BeginAudit(kRegion);
  scene_.executor().RunUntilIdle();
  // The region answers as it was before this write.
  while (provisioner_->WorkOne()) {
  }
  scene_.Write(kRegion, "my-set");
  SettleAll();
  EXPECT_EQ(Counters().touches, 0);
  EXPECT_EQ(scene_.ReadinessOf(kRegion, kObject), Readiness::kReady);
}

}  // namespace
}  // namespace keyferry

// Placements and the ack table, as plans on a transaction.
#include "services/api/placement_acks.h"

#include <gtest/gtest.h>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/aead.h"
#include "libs/storage/keys.h"
#include "services/api/testing/region_scene.h"

namespace keyferry {
namespace {

constexpr char kRegion[] = "us-west";
const ObjectId kObject = SetNamed("my-set");

class PlacementsTest : public ::testing::Test {
 protected:
  PlacementsTest() {
    scene_.CreateRegion(kRegion);
    Must(scene_.Commit([this](Transaction& transaction) {
      transaction.Put(keys::RegionState(kRegion), Encode(RegionStateRow{.target_incarnation = incarnation_, .epoch = 1}));
      return absl::OkStatus();
    }));
  }

  static void Must(const absl::Status& status) { ASSERT_THAT(status, IsOk()); }

  AckContext Context() {
    return {.region = kRegion,
            .target_incarnation = incarnation_,
            .lineage = scene_.lineage(),
            .ceiling = WithLineage(scene_.store().Ceiling(), scene_.lineage()),
            .now = scene_.clock().Now(),
            .connected_since = connected_since_};
  }
  // What the region would say of what is desired now.
  AckReport Ready(const std::string& payload) {
    const DesiredState desired = *scene_.Rows(kRegion, kObject).desired;
    return {.object = kObject, .uid = desired.uid, .revision = desired.revision, .digest = Sha256(payload)};
  }
  AckReport Failed(bool permanent = false) {
    AckReport ack = Ready("");
    ack.result = AckResult::kFailed;
    ack.error_reason = "SINK_FULL";
    ack.error_message = "no room";
    ack.permanent = permanent;
    return ack;
  }
  AckEffect Settle(const AckReport& ack) {
    AckEffect effect{};
    Must(scene_.Commit([&, context = Context()](Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(effect, SettleAck(transaction, context, ack));
      return absl::OkStatus();
    }));
    return effect;
  }
  PlacementStatus Status(const std::string& uid) {
    PlacementStatus status;
    Must(scene_.Commit([&](Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(status, ReadPlacement(transaction, kRegion, kObject, uid, scene_.lineage()));
      return absl::OkStatus();
    }));
    return status;
  }
  std::string Uid() { return scene_.Rows(kRegion, kObject).desired->uid; }
  Readiness Now() { return *scene_.ReadinessOf(kRegion, kObject); }
  void MarkSuspectOnce() {
    Must(scene_.Commit([&, context = Context(), revision = scene_.Rows(kRegion, kObject).desired->revision](Transaction& transaction) {
      return MarkSuspect(transaction, context, kObject, revision);
    }));
  }

  RegionScene scene_;
  std::string incarnation_ = std::string(16, 'i');
  absl::Time connected_since_ = scene_.clock().Now();
};

TEST_F(PlacementsTest, ANewPlacementIsPendingAndIndexedAtItsRowsRevision) {
  scene_.Write(kRegion, "my-set");
  const PlacementRows rows = scene_.Rows(kRegion, kObject);
  ASSERT_EQ(scene_.IndexEntries(), 1u);
  const auto entry = keys::ParsePending(scene_.store().AllOf(Family::kPending)[0].key);
  EXPECT_EQ(entry->revision, rows.desired_row_revision);
  EXPECT_EQ(entry->object, kObject);
  EXPECT_EQ(Now(), Readiness::kPending);
}

TEST_F(PlacementsTest, AnUpdateReplacesThePendingEntry) {
  scene_.Write(kRegion, "my-set");
  scene_.Write(kRegion, "my-set");
  EXPECT_EQ(scene_.IndexEntries(), 1u);
}

TEST_F(PlacementsTest, AnUpdateReplacesTheRetryEntry) {
  scene_.Write(kRegion, "my-set");
  EXPECT_EQ(Settle(Failed()), AckEffect::kRetryLater);
  ASSERT_EQ(scene_.IndexEntries(), 1u);
  scene_.Write(kRegion, "my-set");
  ASSERT_EQ(scene_.IndexEntries(), 1u);
  EXPECT_TRUE(keys::ParsePending(scene_.store().AllOf(Family::kPending)[0].key));
}

TEST_F(PlacementsTest, DeletingWhatWasNeverPlacedWritesNothing) {
  const Revision head = scene_.store().Head();
  scene_.Erase(kRegion, "my-set");
  EXPECT_EQ(scene_.store().Head(), head);
}

TEST_F(PlacementsTest, AckOfTheDesiredRevisionWithTheDigestIsReady) {
  const std::string payload = scene_.Write(kRegion, "my-set");
  EXPECT_EQ(Settle(Ready(payload)), AckEffect::kReady);
  EXPECT_EQ(Now(), Readiness::kReady);
  EXPECT_EQ(scene_.IndexEntries(), 0u);
  const PlacementStatus status = Status(Uid());
  EXPECT_EQ(status.readiness, Readiness::kReady);
  EXPECT_EQ(status.ready_generation, 1);
  EXPECT_EQ(status.last_transition_time, scene_.clock().Now());
}

TEST_F(PlacementsTest, WhatIsProvedAgainIsRecordedOnceAMinute) {
  const auto records = [this] { return scene_.store().AllOf(Family::kAudit).size(); };
  const auto drift_and_prove = [this](const std::string& payload) {
    Must(scene_.Commit([&, context = Context()](Transaction& transaction) {
      return Touch(transaction, context, kObject, TouchOnly::kReady).status();
    }));
    EXPECT_EQ(Settle(Ready(payload)), AckEffect::kReady);
  };
  std::string payload = scene_.Write(kRegion, "my-set");
  Settle(Ready(payload));
  EXPECT_EQ(records(), 1u);
  for (int i = 0; i < 5; ++i) drift_and_prove(payload);
  EXPECT_EQ(records(), 1u);
  scene_.clock().Advance(kDeliveryRecordInterval - absl::Milliseconds(1));
  drift_and_prove(payload);
  EXPECT_EQ(records(), 1u);
  scene_.clock().Advance(kDeliveryRecordInterval);
  drift_and_prove(payload);
  EXPECT_EQ(records(), 2u);
  // A new generation at once.
  payload = scene_.Write(kRegion, "my-set");
  Settle(Ready(payload));
  EXPECT_EQ(records(), 3u);
}

TEST_F(PlacementsTest, AnotherUidSeesNothingOfIt) {
  Settle(Ready(scene_.Write(kRegion, "my-set")));
  EXPECT_EQ(Status("0123456789abcdef0123456789abcdef").readiness, Readiness::kPending);
  EXPECT_EQ(Status("0123456789abcdef0123456789abcdef").ready_generation, 0);
}

TEST_F(PlacementsTest, AckOfAnOlderRevisionIsStaleAndNeverReady) {
  const std::string payload = scene_.Write(kRegion, "my-set");
  const AckReport old = Ready(payload);
  scene_.Write(kRegion, "my-set");
  EXPECT_EQ(Settle(old), AckEffect::kStale);
  EXPECT_EQ(Now(), Readiness::kPending);
  EXPECT_EQ(scene_.IndexEntries(), 1u);
}

TEST_F(PlacementsTest, AckAboveTheHeadIsARewind) {
  const std::string payload = scene_.Write(kRegion, "my-set");
  AckReport ack = Ready(payload);
  ack.revision = scene_.store().Head() + 1;
  EXPECT_EQ(Settle(ack), AckEffect::kAboveHead);
}

TEST_F(PlacementsTest, AckAboveDesiredUpToTheHeadGivesANewRevision) {
  const std::string payload = scene_.Write(kRegion, "my-set");
  scene_.Write(kRegion, "other-set");
  AckReport ack = Ready(payload);
  ack.revision = scene_.store().Head();
  EXPECT_EQ(Settle(ack), AckEffect::kTouched);
  EXPECT_GT(scene_.Rows(kRegion, kObject).desired->revision, ack.revision);
  EXPECT_EQ(Now(), Readiness::kPending);
}

TEST_F(PlacementsTest, AckBelowTheFloorGivesANewRevision) {
  scene_.Write(kRegion, "my-set");
  AckReport ack = Failed();
  ack.error_reason = kBelowFloor;
  EXPECT_EQ(Settle(ack), AckEffect::kTouched);
  EXPECT_GT(scene_.Rows(kRegion, kObject).desired->revision, ack.revision);
}

TEST_F(PlacementsTest, AckOfAnotherUidIsDropped) {
  AckReport ack = Ready(scene_.Write(kRegion, "my-set"));
  ack.uid = "0123456789abcdef0123456789abcdef";
  EXPECT_EQ(Settle(ack), AckEffect::kForeignUid);
  EXPECT_EQ(Now(), Readiness::kPending);
}

TEST_F(PlacementsTest, AckOfAnUnknownObjectIsDropped) {
  EXPECT_EQ(Settle({.object = SetNamed("never-there"), .uid = "u", .revision = 1}), AckEffect::kUnknown);
}

TEST_F(PlacementsTest, ReadyWithAnotherDigestIsATransientFailure) {
  scene_.Write(kRegion, "my-set");
  EXPECT_EQ(Settle(Ready("something else")), AckEffect::kDigestMismatch);
  EXPECT_EQ(Now(), Readiness::kPending);
  const Observation observed = *scene_.Rows(kRegion, kObject).observed;
  EXPECT_EQ(observed.error_reason, kDigestMismatch);
  EXPECT_FALSE(observed.permanent);
}

TEST_F(PlacementsTest, ATransientFailureMovesFromPendingToRetry) {
  scene_.Write(kRegion, "my-set");
  EXPECT_EQ(Settle(Failed()), AckEffect::kRetryLater);
  ASSERT_EQ(scene_.IndexEntries(), 1u);
  const auto entry = keys::ParseRetry(scene_.store().AllOf(Family::kPending)[0].key);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->due_unix_millis, absl::ToUnixMillis(scene_.clock().Now() + kMinRetryDelay));
  EXPECT_EQ(Now(), Readiness::kPending);
}

TEST_F(PlacementsTest, BackoffDoublesFromASecondOnAndTheLastAttemptIsAtTheDeadline) {
  scene_.Write(kRegion, "my-set");
  const auto delay_after = [&](int attempts) {
    while (scene_.Rows(kRegion, kObject).observed.value_or(Observation{}).attempts < attempts) Settle(Failed());
    return scene_.Rows(kRegion, kObject).observed->next_attempt - scene_.clock().Now();
  };
  EXPECT_EQ(delay_after(1), absl::Seconds(1));
  EXPECT_EQ(delay_after(4), absl::Seconds(8));
  EXPECT_EQ(delay_after(20), kProvisioningDeadline);
  scene_.clock().Advance(kProvisioningDeadline - absl::Seconds(5));
  EXPECT_EQ(delay_after(21), absl::Seconds(5));
  EXPECT_EQ(scene_.IndexEntries(), 1u);
}

TEST_F(PlacementsTest, APermanentFailureLeavesBothIndexes) {
  scene_.Write(kRegion, "my-set");
  EXPECT_EQ(Settle(Failed(true)), AckEffect::kFailedForGood);
  EXPECT_EQ(scene_.IndexEntries(), 0u);
  EXPECT_EQ(Now(), Readiness::kFailed);
  EXPECT_EQ(Status(Uid()).error_message, "no room");
  EXPECT_EQ(Status(Uid()).error_reason, "SINK_FULL");
}

TEST_F(PlacementsTest, AConnectedRegionThatFailsForTwoMinutesHasFailedForGood) {
  scene_.Write(kRegion, "my-set");
  Settle(Failed());
  scene_.clock().Advance(kProvisioningDeadline - absl::Milliseconds(1));
  EXPECT_EQ(Settle(Failed()), AckEffect::kRetryLater);
  scene_.clock().Advance(absl::Milliseconds(1));
  EXPECT_EQ(Settle(Failed()), AckEffect::kFailedForGood);
  EXPECT_EQ(scene_.IndexEntries(), 0u);
}

TEST_F(PlacementsTest, TheDeadlineDoesNotRunWhileTheRegionIsAway) {
  scene_.Write(kRegion, "my-set");
  Settle(Failed());
  scene_.clock().Advance(absl::Hours(1));
  connected_since_ = scene_.clock().Now();
  EXPECT_EQ(Settle(Failed()), AckEffect::kRetryLater);
}

TEST_F(PlacementsTest, FailedAfterReadyIsDropped) {
  Settle(Ready(scene_.Write(kRegion, "my-set")));
  EXPECT_EQ(Settle(Failed()), AckEffect::kStale);
  EXPECT_EQ(Now(), Readiness::kReady);
}

TEST_F(PlacementsTest, ReadyAfterFailedIsReady) {
  const std::string payload = scene_.Write(kRegion, "my-set");
  Settle(Failed(true));
  EXPECT_EQ(Settle(Ready(payload)), AckEffect::kReady);
  EXPECT_EQ(Now(), Readiness::kReady);
  EXPECT_EQ(scene_.IndexEntries(), 0u);
}

TEST_F(PlacementsTest, AnAckedDeleteErasesEveryRow) {
  Settle(Ready(scene_.Write(kRegion, "my-set")));
  scene_.Erase(kRegion, "my-set");
  EXPECT_EQ(Now(), Readiness::kPending);
  EXPECT_EQ(Settle(Ready("")), AckEffect::kDeleted);
  EXPECT_TRUE(scene_.store().AllOf(Family::kPlacements).empty());
  EXPECT_EQ(scene_.IndexEntries(), 0u);
}

TEST_F(PlacementsTest, ACreateDuringADeleteIsOneMoreRevisionWithANewUid) {
  Settle(Ready(scene_.Write(kRegion, "my-set")));
  const std::string old_uid = Uid();
  scene_.Erase(kRegion, "my-set");
  const AckReport deleted = Ready("");
  const std::string payload = scene_.Write(kRegion, "my-set");
  EXPECT_NE(Uid(), old_uid);
  EXPECT_EQ(Settle(deleted), AckEffect::kStale);
  EXPECT_EQ(scene_.IndexEntries(), 1u);
  EXPECT_EQ(Settle(Ready(payload)), AckEffect::kReady);
  EXPECT_EQ(Status(Uid()).ready_generation, 2);
  EXPECT_EQ(Status(old_uid).ready_generation, 0);
}

TEST_F(PlacementsTest, AWipedRegionUnreadiesEverythingByOneRow) {
  Settle(Ready(scene_.Write(kRegion, "my-set")));
  Must(scene_.Commit([](Transaction& transaction) {
    transaction.Put(keys::RegionState(kRegion), Encode(RegionStateRow{.target_incarnation = std::string(16, 'j'), .epoch = 2}));
    return absl::OkStatus();
  }));
  EXPECT_EQ(Now(), Readiness::kPending);
}

TEST_F(PlacementsTest, TheThirdDeathOfASessionPoisons) {
  scene_.Write(kRegion, "my-set");
  MarkSuspectOnce();
  MarkSuspectOnce();
  EXPECT_EQ(Now(), Readiness::kPending);
  EXPECT_EQ(scene_.IndexEntries(), 1u);
  MarkSuspectOnce();
  EXPECT_EQ(Now(), Readiness::kFailed);
  EXPECT_EQ(Status(Uid()).error_reason, kPoison);
  EXPECT_EQ(scene_.IndexEntries(), 0u);
}

TEST_F(PlacementsTest, AnyAckAndAnyNewRevisionClearTheSuspicion) {
  scene_.Write(kRegion, "my-set");
  MarkSuspectOnce();
  MarkSuspectOnce();
  Settle(Failed());
  MarkSuspectOnce();
  MarkSuspectOnce();
  scene_.Write(kRegion, "my-set");
  MarkSuspectOnce();
  MarkSuspectOnce();
  EXPECT_EQ(Now(), Readiness::kPending);
}

TEST_F(PlacementsTest, ASuspectThatWasProvedMeanwhileIsNone) {
  Settle(Ready(scene_.Write(kRegion, "my-set")));
  for (int i = 0; i < kPoisonThreshold; ++i) MarkSuspectOnce();
  EXPECT_EQ(Now(), Readiness::kReady);
}

TEST_F(PlacementsTest, ALongErrorMessageIsCutBetweenCharacters) {
  scene_.Write(kRegion, "my-set");
  AckReport ack = Failed(true);
  ack.error_message = std::string(1023, 'x') + "é";
  Settle(ack);
  EXPECT_EQ(Status(Uid()).error_message, std::string(1023, 'x'));
}

TEST_F(PlacementsTest, ALineageBumpUnreadiesAndTheOldRevisionsAckIsStale) {
  const std::string payload = scene_.Write(kRegion, "my-set");
  const AckReport old = Ready(payload);
  Settle(old);
  const PlacementRows rows = *PeekPlacementRows(scene_.store(), kRegion, kObject, scene_.lineage() + 1);
  EXPECT_EQ(ReadinessOf(*rows.desired, rows.observed, incarnation_), Readiness::kPending);
  EXPECT_GT(rows.desired->revision, old.revision);
}

}  // namespace
}  // namespace keyferry

#include "services/provisioner/reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "services/provisioner/testing/memory_sink.h"
#include "services/provisioner/testing/object_sealer.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class ReconcilerTest : public ::testing::Test {
 protected:
  Settlement Apply(const RegionObject& event) { return reconciler_.Apply({event}).at(0); }
  // `revision READY` or `revision REASON [permanent]`.
  static std::string Text(const Settlement& settlement) {
    return std::to_string(settlement.revision) + " " +
           (settlement.result == AckResult::kReady ? "READY" : settlement.error_reason) +
           (settlement.permanent ? " permanent" : "");
  }
  uint64_t HeldRevision(const ObjectId& id) {
    return store_->Get(id).value().value_or(RegionObject()).version.revision;
  }

  TempDir directory_{"/dev/shm"};
  RegionKey key_ = RegionKey::Generate();
  RegionKeys keys_{*RegionKey::FromPrivate(key_.private_key().Clone())};
  ObjectSealer sealer_{key_};
  std::unique_ptr<RegionStore> store_ = RegionStore::Open(directory_.path(), "us-west").value();
  MemorySink first_;
  MemorySink second_;
  std::vector<ObjectId> changed_;
  Reconciler reconciler_{
      {.store = *store_, .keys = keys_, .sinks = {&first_, &second_}, .on_change = [this](const ObjectId& id) {
         changed_.push_back(id);
       }}};
};

TEST_F(ReconcilerTest, ReadyMeansStoredAndShownInEverySink) {
  const RegionObject event = sealer_.Set("env", 5, {{"KEY", "one"}});
  const Settlement settlement = Apply(event);
  EXPECT_EQ(Text(settlement), "5 READY");
  EXPECT_EQ(settlement.digest, event.version.digest);
  EXPECT_EQ(settlement.uid, kSetUid);
  EXPECT_EQ(HeldRevision(SetId("env")), 5u);
  for (const MemorySink* sink : {&first_, &second_}) {
    EXPECT_THAT(sink->objects, ElementsAre(Pair(SetId("env"), ElementsAre(Pair("KEY", "one")))));
  }
  EXPECT_THAT(changed_, ElementsAre(SetId("env")));
}

TEST_F(ReconcilerTest, ADeleteRemovesFromEverySinkAndLeavesATombstone) {
  Apply(sealer_.Set("env", 5, {{"KEY", "one"}}));
  EXPECT_EQ(Text(Apply(Tombstone(SetId("env"), 6))), "6 READY");
  EXPECT_THAT(first_.objects, IsEmpty());
  EXPECT_THAT(second_.objects, IsEmpty());
  EXPECT_EQ(store_->object_count(), 0u);
  EXPECT_EQ(Text(Apply(sealer_.Set("env", 5, {{"KEY", "one"}}))), "6 READY") << "the tombstone answers for the zombie";
  EXPECT_THAT(first_.objects, IsEmpty());
}

TEST_F(ReconcilerTest, AStaleEventIsAnsweredWithWhatIsHeld) {
  const RegionObject held = sealer_.Set("env", 5, {{"KEY", "new"}});
  Apply(held);
  const Settlement settlement = Apply(sealer_.Set("env", 4, {{"KEY", "old"}}));
  EXPECT_EQ(Text(settlement), "5 READY");
  EXPECT_EQ(settlement.digest, held.version.digest);
  EXPECT_EQ(first_.objects[SetId("env")]["KEY"], "new");
}

TEST_F(ReconcilerTest, ADuplicateRepairsASinkBeforeItIsReadyAgain) {
  const RegionObject event = sealer_.Set("env", 5, {{"KEY", "one"}});
  Apply(event);
  EXPECT_EQ(Text(Apply(event)), "5 READY");
  EXPECT_EQ(first_.apply_count, 1) << "nothing to repair";
  second_.objects.clear();
  EXPECT_EQ(Text(Apply(event)), "5 READY");
  EXPECT_EQ(second_.objects[SetId("env")]["KEY"], "one");
}

TEST_F(ReconcilerTest, TheSameRevisionWithOtherContentFails) {
  Apply(sealer_.Set("env", 5, {{"KEY", "one"}}));
  EXPECT_EQ(Text(Apply(sealer_.Set("env", 5, {{"KEY", "two"}}))), "5 DIGEST_MISMATCH");
  EXPECT_EQ(first_.objects[SetId("env")]["KEY"], "one");
}

TEST_F(ReconcilerTest, UnknownAtOrBelowTheFloorFails) {
  ASSERT_THAT(store_->RaiseFloor(5), IsOk());
  EXPECT_EQ(Text(Apply(sealer_.Set("env", 5, {{"KEY", "one"}}))), "5 BELOW_FLOOR");
  EXPECT_EQ(Text(Apply(sealer_.Set("env", 6, {{"KEY", "one"}}))), "6 READY");
}

TEST_F(ReconcilerTest, APayloadThatWasChangedOnTheWayFails) {
  RegionObject event = sealer_.Set("env", 5, {{"KEY", "one"}});
  event.sealed_object.back() ^= 1;
  EXPECT_EQ(Text(Apply(event)), "5 DIGEST_MISMATCH");
  EXPECT_EQ(HeldRevision(SetId("env")), 0u);
}

TEST_F(ReconcilerTest, OneBadObjectFailsAloneAndForGood) {
  RegionObject garbage = sealer_.Set("garbage", 6, {});
  garbage.sealed_object = "\xff\xff not a message";
  garbage.version.digest = Sha256(garbage.sealed_object);
  ObjectSealer other_region(RegionKey::Generate());
  const auto settlements =
      reconciler_.Apply({sealer_.Set("good", 5, {{"KEY", "one"}}), garbage,
                         other_region.Set("foreign", 7, {{"KEY", "one"}}), sealer_.Set("better", 8, {})});
  std::vector<std::string> texts;
  for (const Settlement& settlement : settlements) texts.push_back(Text(settlement));
  EXPECT_THAT(texts, ElementsAre("5 READY", "6 BAD_PAYLOAD permanent", "7 CANNOT_OPEN permanent", "8 READY"));
  EXPECT_THAT(first_.objects, SizeIs(2));
}

TEST_F(ReconcilerTest, SeveralEventsOfOneObjectApplyInTheirOrder) {
  const auto settlements =
      reconciler_.Apply({sealer_.Set("env", 5, {{"KEY", "one"}}), sealer_.Set("env", 6, {{"KEY", "two"}}),
                         Tombstone(SetId("env"), 7), sealer_.Set("env", 8, {{"KEY", "four"}})});
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(Text(settlements[i]), std::to_string(5 + i) + " READY");
  EXPECT_EQ(first_.objects[SetId("env")]["KEY"], "four");
  EXPECT_EQ(HeldRevision(SetId("env")), 8u);
}

TEST_F(ReconcilerTest, AfterASinkFailedEverySinkShowsTheOldVersion) {
  Apply(sealer_.Set("env", 5, {{"KEY", "old"}}));
  const RegionObject event = sealer_.Set("env", 6, {{"KEY", "new"}});
  second_.apply_faults.push_back(absl::ResourceExhaustedError("no space left on device"));
  EXPECT_EQ(Text(Apply(event)), "6 SINK_FULL");
  EXPECT_EQ(first_.objects[SetId("env")]["KEY"], "old");
  EXPECT_EQ(second_.objects[SetId("env")]["KEY"], "old");
  EXPECT_EQ(HeldRevision(SetId("env")), 5u);
  second_.verify_faults.push_back(absl::DataLossError("read something else"));
  EXPECT_EQ(Text(Apply(event)), "6 SINK_ERROR");
  EXPECT_EQ(first_.objects[SetId("env")]["KEY"], "old");
  EXPECT_EQ(second_.objects[SetId("env")]["KEY"], "old");
  EXPECT_EQ(Text(Apply(event)), "6 READY");
}

TEST_F(ReconcilerTest, AfterAFailedDeleteTheObjectIsStillShown) {
  Apply(sealer_.Set("env", 5, {{"KEY", "old"}}));
  second_.remove_faults.push_back(absl::UnavailableError("busy"));
  EXPECT_EQ(Text(Apply(Tombstone(SetId("env"), 6))), "6 SINK_ERROR");
  EXPECT_EQ(first_.objects[SetId("env")]["KEY"], "old");
  EXPECT_EQ(Text(Apply(Tombstone(SetId("env"), 6))), "6 READY");
}

TEST_F(ReconcilerTest, HoldsExactlyThisOrSomethingNewer) {
  const RegionObject event = sealer_.Set("env", 5, {});
  Apply(event);
  EXPECT_TRUE(reconciler_.Holds(SetId("env"), event.version));
  EXPECT_TRUE(reconciler_.Holds(SetId("env"), {.revision = 4, .digest = "any"}));
  EXPECT_FALSE(reconciler_.Holds(SetId("env"), {.revision = 6}));
  EXPECT_FALSE(reconciler_.Holds(SetId("env"), {.revision = 5, .digest = "other"}));
  EXPECT_FALSE(reconciler_.Holds(SetId("other"), {.revision = 5}));
}

TEST_F(ReconcilerTest, FillSinksShowsWhatIsStoredAndNothingElse) {
  Apply(sealer_.Set("aaa", 1, {{"KEY", "one"}}));
  Apply(sealer_.Set("bbb", 2, {{"KEY", "two"}}));
  Apply(Tombstone(SetId("ccc"), 3));
  first_.objects = {{SetId("bbb"), {{"KEY", "newer, never acked"}}}, {SetId("ccc"), {}}, {AgentId("agent"), {}}};
  EXPECT_THAT(reconciler_.FillSinks(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(first_.objects, UnorderedElementsAre(Pair(SetId("aaa"), ElementsAre(Pair("KEY", "one"))),
                                                   Pair(SetId("bbb"), ElementsAre(Pair("KEY", "two")))));
}

TEST_F(ReconcilerTest, FillSinksNamesWhatItCannotShow) {
  Apply(sealer_.Set("aaa", 1, {}));
  Apply(sealer_.Set("bbb", 2, {}));
  first_.objects.clear();
  first_.apply_faults.push_back(absl::ResourceExhaustedError("full"));
  EXPECT_THAT(reconciler_.FillSinks(), IsOkAndHolds(ElementsAre(SetId("aaa"))));
}

TEST_F(ReconcilerTest, CheckSinksGoesRoundAndRepairs) {
  for (const char* name : {"aaa", "bbb", "ccc"}) Apply(sealer_.Set(name, name[0], {{"KEY", name}}));
  second_.objects.clear();
  EXPECT_THAT(reconciler_.CheckSinks(2), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(second_.objects, SizeIs(2));
  EXPECT_THAT(reconciler_.CheckSinks(2), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(second_.objects, SizeIs(3));
  second_.objects.clear();
  second_.apply_faults.push_back(absl::UnavailableError("broken"));
  EXPECT_THAT(reconciler_.CheckSinks(3), IsOkAndHolds(ElementsAre(SetId("aaa"))));
}

class SweepTest : public ReconcilerTest {
 protected:
  // Sets `00`, `01`, ... with revisions 1, 2, ...
  void Hold(int count) {
    std::vector<RegionObject> events;
    for (int i = 0; i < count; ++i)
      events.push_back(sealer_.Set("set-" + std::to_string(10 + i), i + 1, {{"KEY", "one"}}));
    reconciler_.Apply(events);
  }
  // All but the first `unseen`.
  static std::function<bool(const ObjectId&)> AllBut(int unseen) {
    return [unseen](const ObjectId& id) { return std::stoi(id.name.substr(4)) - 10 >= unseen; };
  }
};

TEST_F(SweepTest, DeletesATenthAndNotOneMore) {
  Hold(20);
  EXPECT_THAT(reconciler_.Sweep(AllBut(3), 100, false), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(store_->object_count(), 20u);
  EXPECT_THAT(reconciler_.Sweep(AllBut(2), 100, false), IsOkAndHolds(2u));
  EXPECT_EQ(store_->object_count(), 18u);
  EXPECT_THAT(first_.objects, SizeIs(18));
}

TEST_F(SweepTest, OfNineObjectsNoneGoesAndTheRefusalNamesTheOperatorsCommand) {
  Hold(9);
  const auto swept = reconciler_.Sweep(AllBut(1), 100, false);
  EXPECT_THAT(swept, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(std::string(swept.status().message()),
              ::testing::HasSubstr("keyferry regions resync CODE --allow-mass-delete"));
  EXPECT_EQ(store_->object_count(), 9u);
  EXPECT_THAT(reconciler_.Sweep(AllBut(1), 100, true), IsOkAndHolds(1u));
}

TEST_F(SweepTest, DeletesEverythingWhenAnOperatorAllowsIt) {
  Hold(20);
  EXPECT_THAT(reconciler_.Sweep(AllBut(20), 100, true), IsOkAndHolds(20u));
  EXPECT_THAT(first_.objects, IsEmpty());
}

TEST_F(SweepTest, SparesWhatIsNewerThanTheResync) {
  Hold(20);
  EXPECT_THAT(reconciler_.Sweep(AllBut(20), 1, false), IsOkAndHolds(1u));
  EXPECT_EQ(HeldRevision(SetId("set-11")), 2u);
}

TEST_F(SweepTest, LeavesTombstonesThatHoldZombiesOff) {
  Hold(10);
  ASSERT_THAT(reconciler_.Sweep(AllBut(1), 50, false), IsOkAndHolds(1u));
  EXPECT_EQ(Text(Apply(sealer_.Set("set-10", 49, {}))), "50 READY");
  EXPECT_EQ(store_->object_count(), 9u);
  EXPECT_EQ(Text(Apply(sealer_.Set("set-10", 51, {}))), "51 READY");
}

}  // namespace
}  // namespace keyferry

#include "services/provisioner/drift_notes.h"
#include "services/provisioner/sync_client.h"

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <future>

#include "absl/strings/escaping.h"
#include "absl/synchronization/notification.h"
#include "libs/common/error.h"
#include "libs/model/object_hash.h"
#include "libs/rpc/status_conversion.h"
#include "services/provisioner/testing/sync_client_scene.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SyncClientTest, SaysHelloWithWhatItsStoreHolds) {
  Hold(5);
  const auto stream = Connect();
  ASSERT_NE(stream, nullptr);
  const v1::Hello& hello = stream->hello();
  EXPECT_EQ(hello.protocol_version(), 1u);
  EXPECT_EQ(hello.region(), "us-west");
  EXPECT_EQ(hello.provisioner_id(), "us-west-1");
  EXPECT_THAT(hello.boot_id(), SizeIs(16));
  EXPECT_EQ(hello.target_incarnation(), store_->meta().target_incarnation);
  EXPECT_EQ(hello.max_revision_seen(), 5u);
  EXPECT_EQ(hello.max_inflight_objects(), 64u);
  EXPECT_EQ(hello.max_inflight_bytes(), 4u << 20);
  EXPECT_EQ(hello.sealing_key_id(), key_.id());
  EXPECT_EQ(hello.version(), "1.2.3");
}

TEST_F(SyncClientTest, AKeyThatTheApiDoesNotKnowGivesWayToTheOneBefore) {
  std::vector<RegionKey> keys;
  keys.push_back(RegionKey::Generate());
  const std::string unknown = keys[0].id();
  keys.push_back(*RegionKey::FromPrivate(key_.private_key().Clone()));
  keys_.Replace(RegionKeySet(std::move(keys)));
  StartClient();
  const auto refused = api_->Accept();
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->hello().sealing_key_id(), unknown);
  refused->End(
      ToGrpcStatus(MakeError(absl::StatusCode::kFailedPrecondition, "no", {.reason = "UNKNOWN_SEALING_KEY"}), ""));
  const auto stream = api_->AcceptOwner(kEpoch);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->hello().sealing_key_id(), key_.id());
  SendEvents(*stream, {EventOf(sealer_.Set("env", 5, {{"KEY", "one"}}))});
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("env@5 READY"));
  absl::MutexLock lock(&mutex_);
  EXPECT_THAT(owned_under_, ElementsAre(std::nullopt, key_.id()));
}

TEST_F(SyncClientTest, AppliesEventsAndAcksEachWithItsDigest) {
  const auto stream = Connect();
  const RegionObject object = sealer_.Set("env", 5, {{"KEY", "one"}});
  SendEvents(*stream, {EventOf(object)});
  const v1::ProvisionerMessage message = stream->Next(Kind::kAcks);
  ASSERT_EQ(message.acks().acks_size(), 1);
  const v1::Ack& ack = message.acks().acks(0);
  EXPECT_EQ(ack.result(), v1::ACK_RESULT_READY);
  EXPECT_EQ(ack.digest(), Sha256(object.sealed_object));
  EXPECT_EQ(ack.uid(), absl::HexStringToBytes(kSetUid));
  EXPECT_EQ(ack.epoch(), kEpoch);
  EXPECT_EQ(ack.target_incarnation(), store_->meta().target_incarnation);
  EXPECT_EQ(store_->Get(SetId("env")).value()->sealed_object, object.sealed_object);
  EXPECT_EQ(memory_.objects[SetId("env")]["KEY"], "one");
}

TEST_F(SyncClientTest, WorksOffManyBatchesInOrder) {
  const auto stream = Connect();
  std::vector<std::string> expected;
  for (int batch = 0; batch < 40; ++batch) {
    std::vector<v1::Event> events;
    for (int i = 0; i < 16; ++i) {
      const uint64_t revision = 16 * batch + i + 1;
      events.push_back(EventOf(sealer_.Set("set-" + std::to_string(i), revision, {{"KEY", std::to_string(revision)}})));
      expected.push_back("set-" + std::to_string(i) + "@" + std::to_string(revision) + " READY");
    }
    SendEvents(*stream, events);
  }
  EXPECT_EQ(ReadAcks(*stream, expected.size()), expected);
  EXPECT_EQ(memory_.objects[SetId("set-7")]["KEY"], std::to_string(16 * 39 + 8));
}

TEST_F(SyncClientTest, HalfOfWhatMayBeInFlightIsCommittedAndAckedTogetherAndNotOneMore) {
  absl::Notification gate;
  sink_.gate = &gate;
  const auto stream = Connect();
  const auto await_progress = [&](int object_count) {
    v1::ProvisionerMessage received;
    do {
      received = stream->Next(Kind::kProgress);
    } while (received.has_progress() && received.progress().objects_size() < object_count);
    return received.progress().objects_size();
  };
  SendEvents(*stream, {EventOf(sealer_.Set("first", 1, {}))});
  ASSERT_EQ(await_progress(1), 1);
  uint64_t revision = 1;
  for (const int size : {16, 16, 1}) {
    std::vector<v1::Event> events;
    for (int i = 0; i < size; ++i) {
      ++revision;
      events.push_back(EventOf(sealer_.Set("set-" + std::to_string(revision), revision, {})));
    }
    SendEvents(*stream, events);
  }
  ASSERT_EQ(await_progress(34), 34);
  gate.Notify();
  for (const int size : {1, 32, 1}) EXPECT_EQ(stream->Next(Kind::kAcks).acks().acks_size(), size);
}

TEST_F(SyncClientTest, AcksDuplicatesAgainAndStaleEventsWithWhatItHolds) {
  const auto stream = Connect();
  const v1::Event new_event = EventOf(sealer_.Set("env", 5, {{"KEY", "new"}}));
  SendEvents(*stream, {new_event, new_event, EventOf(sealer_.Set("env", 4, {{"KEY", "old"}})),
                       EventOf(Tombstone(SetId("env"), 6)), new_event});
  EXPECT_THAT(ReadAcks(*stream, 5),
              ElementsAre("env@5 READY", "env@5 READY", "env@5 READY", "env@6 READY", "env@6 READY"));
  EXPECT_THAT(memory_.objects, IsEmpty());
}

TEST_F(SyncClientTest, HostileEventsFailForGoodAndTheStreamLives) {
  google::protobuf::SetLogHandler(nullptr);
  const auto stream = Connect();
  RegionObject garbage = sealer_.Set("garbage", 1, {});
  garbage.sealed_object = std::string(1000, '\xff');
  garbage.version.digest = Sha256(garbage.sealed_object);
  SealedObject swapped = sealer_.SealValues(kSetUid, {{"A", "one"}, {"B", "two"}});
  std::swap(swapped.entries[0].ciphertext, swapped.entries[1].ciphertext);
  ObjectSealer other_region(RegionKey::Generate());
  v1::Event unknown_kind = EventOf(sealer_.Set("kind", 4, {}));
  unknown_kind.mutable_object()->set_kind(static_cast<v1::ObjectKind>(9));
  v1::Event bad_uid = EventOf(sealer_.Set("uid", 5, {}));
  bad_uid.set_uid("short");
  v1::Event nul = EventOf(sealer_.Set("nul", 6, {}));
  nul.mutable_object()->set_organization(std::string("a\0b", 3));
  SendEvents(*stream, {EventOf(garbage), EventOf(ObjectSealer::Wrap(SetId("swapped"), kSetUid, 2, swapped)),
                       EventOf(other_region.Set("foreign", 3, {{"A", "one"}})), unknown_kind, bad_uid, nul,
                       EventOf(sealer_.Set("../up", 7, {})), EventOf(sealer_.Set("good", 8, {}))});
  EXPECT_THAT(ReadAcks(*stream, 8),
              ::testing::UnorderedElementsAre("garbage@1 BAD_PAYLOAD permanent", "swapped@2 CANNOT_OPEN permanent",
                                              "foreign@3 CANNOT_OPEN permanent", "kind@4 BAD_PAYLOAD permanent",
                                              "uid@5 BAD_PAYLOAD permanent", "nul@6 BAD_PAYLOAD permanent",
                                              "../up@7 BAD_PAYLOAD permanent", "good@8 READY"));
  EXPECT_THAT(memory_.objects, SizeIs(1));
}

TEST_F(SyncClientTest, DoesNothingForAnEventMeantForAnotherTarget) {
  const auto stream = Connect();
  v1::Event event = EventOf(sealer_.Set("env", 5, {}));
  event.set_target_incarnation(std::string(16, 'x'));
  SendEvents(*stream, {event});
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("env@5 WRONG_TARGET"));
  EXPECT_EQ(store_->object_count(), 0u);
}

TEST_F(SyncClientTest, RaisesTheFloorThatABookmarkTells) {
  Hold(1);
  reconciler_.Apply({Tombstone(SetId("gone"), 7)});
  const auto stream = Connect();
  v1::ApiMessage message;
  message.mutable_bookmark()->set_settled_floor(7);
  stream->Send(message);
  SendEvents(*stream, {EventOf(sealer_.Set("gone", 7, {}))});
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("gone@7 BELOW_FLOOR"));
}

TEST_F(SyncClientTest, AnswersInventoryWithHashesAndWithTheEntriesOfBuckets) {
  Hold(12);
  reconciler_.Apply({Tombstone(SetId("set-10"), 50)});
  std::vector<uint64_t> expected(kInventoryBuckets);
  for (int i = 1; i < 12; ++i) {
    const ObjectId id = SetId("set-" + std::to_string(10 + i));
    expected[InventoryBucket(id)] += ObjectRevisionHash(id, i + 1);
  }
  const auto stream = Connect();
  EXPECT_EQ(ReadBucketHashes(*stream), expected);
  v1::ApiMessage message;
  message.mutable_inventory_request()->add_buckets(InventoryBucket(SetId("set-15")));
  message.mutable_inventory_request()->add_buckets(InventoryBucket(SetId("set-10")));
  stream->Send(message);
  const v1::ProvisionerMessage answer = stream->Next(Kind::kInventory);
  EXPECT_THAT(answer.inventory().buckets(), SizeIs(2));
  EXPECT_FALSE(answer.inventory().more());
  std::vector<std::string> names;
  for (const auto& entry : answer.inventory().entries())
    names.push_back(entry.object().name() + "@" + std::to_string(entry.revision()));
  EXPECT_THAT(names, ::testing::Contains("set-15@6"));
  EXPECT_THAT(names, ::testing::Not(::testing::Contains(::testing::StartsWith("set-10@"))));
}

TEST_F(SyncClientTest, ConnectsAgainAfterTheStreamBroke) {
  auto stream = Connect();
  SendEvents(*stream, {EventOf(sealer_.Set("env", 5, {}))});
  ReadAcks(*stream, 1);
  const std::string boot_id = stream->hello().boot_id();
  stream->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  stream = Connect();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->hello().boot_id(), boot_id);
  EXPECT_EQ(stream->hello().max_revision_seen(), 5u);
  SendEvents(*stream, {EventOf(sealer_.Set("env", 6, {}))});
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("env@6 READY"));
}

TEST_F(SyncClientTest, ConnectsOnceAnAbsentApiAppears) {
  api_ = nullptr;
  StartClient();
  api_ = FakeApi::Start(port_);
  ASSERT_EQ(api_->port(), port_);
  EXPECT_NE(Connect(), nullptr);
}

TEST_F(SyncClientTest, ConnectsAgainWhenTheApiFallsSilent) {
  SyncTimings timings = FastTimings();
  timings.silence = absl::Milliseconds(50);
  StartClient(timings);
  const auto stream = api_->Accept();
  v1::ApiMessage welcome;
  welcome.mutable_welcome()->mutable_heartbeat_interval()->set_nanos(20'000'000);
  stream->Send(welcome);
  EXPECT_TRUE(stream->WaitForEnd());
  EXPECT_NE(api_->Accept(), nullptr);
}

TEST_F(SyncClientTest, AfterADrainItFinishesAndConnectsAgain) {
  auto stream = Connect();
  absl::Notification gate;
  sink_.gate = &gate;
  SendEvents(*stream, {EventOf(sealer_.Set("env", 5, {}))});
  v1::ApiMessage drain;
  drain.mutable_drain()->set_reason("DRAINING");
  stream->Send(drain);
  gate.Notify();
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("env@5 READY"));
  EXPECT_TRUE(stream->WaitForEnd());
  stream->End(grpc::Status::OK);
  EXPECT_NE(Connect(), nullptr);
}

TEST_F(SyncClientTest, AStandbyStaysConnectedAndBeats) {
  StartClient();
  const auto stream = api_->Accept();
  v1::ApiMessage message;
  message.mutable_welcome()->mutable_heartbeat_interval()->set_nanos(20'000'000);
  stream->Send(message);
  message.mutable_standby()->set_owner_id("us-west-2");
  stream->Send(message);
  EXPECT_TRUE(stream->Next(Kind::kHeartbeat).has_heartbeat());
  message.mutable_grant()->set_epoch(kEpoch);
  stream->Send(message);
  SendEvents(*stream, {EventOf(sealer_.Set("env", 5, {}))});
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("env@5 READY"));
}

TEST_F(SyncClientTest, BeatsAndReportsProgressWhileASinkIsSlow) {
  absl::Notification gate;
  sink_.gate = &gate;
  StartClient();
  const auto stream = api_->Accept();
  v1::ApiMessage message;
  message.mutable_welcome()->mutable_heartbeat_interval()->set_nanos(20'000'000);
  stream->Send(message);
  SendEvents(*stream, {EventOf(sealer_.Set("env", 5, {}))});
  const v1::ProvisionerMessage progress = stream->Next(Kind::kProgress);
  ASSERT_EQ(progress.progress().objects_size(), 1);
  EXPECT_EQ(progress.progress().objects(0).name(), "env");
  EXPECT_TRUE(stream->Next(Kind::kHeartbeat).has_heartbeat());
  gate.Notify();
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("env@5 READY"));
}

TEST_F(SyncClientTest, StopFinishesAndAcksWhatIsInFlight) {
  const auto stream = Connect();
  absl::Notification gate;
  sink_.gate = &gate;
  SendEvents(*stream, {EventOf(sealer_.Set("env", 5, {}))});
  ASSERT_TRUE(stream->Next(Kind::kProgress).has_progress());
  auto stopped = std::async(std::launch::async, [&] { client_->Stop(absl::Seconds(10)); });
  gate.Notify();
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("env@5 READY"));
  EXPECT_TRUE(stream->WaitForEnd());
  stream->End(grpc::Status::OK);
  stopped.get();
}

TEST_F(SyncClientTest, StopReturnsWhenTheApiDoesNotEndTheStreamOrIsAway) {
  const auto stream = Connect();
  client_->Stop(absl::Milliseconds(20));
  EXPECT_TRUE(stream->WaitForEnd());
  api_ = nullptr;
  StartClient();
  client_->Stop(absl::Milliseconds(20));
}

TEST_F(SyncClientTest, RepairsSinksByAndByAndReportsWhatItCannotRepair) {
  Hold(2);
  memory_.objects.clear();
  memory_.apply_faults.push_back(absl::UnavailableError("broken"));
  SyncTimings timings = FastTimings();
  timings.check_sinks = absl::Milliseconds(10);
  StartClient(timings, {SetId("lost-at-start")});
  const auto stream = api_->AcceptOwner(kEpoch);
  std::vector<std::string> drifted;
  while (drifted.size() < 2) {
    const v1::ProvisionerMessage message = stream->Next(Kind::kDrift);
    if (!message.has_drift()) break;
    for (const auto& object : message.drift().objects()) drifted.push_back(object.name());
  }
  EXPECT_THAT(drifted, ::testing::UnorderedElementsAre("lost-at-start", "set-10"));
}

TEST_F(SyncClientTest, LooksAfterItsSinksBetweenTwoGroupsOfWorkToo) {
  Hold(1);
  memory_.apply_faults = {absl::OkStatus(), absl::UnavailableError("broken")};
  absl::Notification gate;
  sink_.gate = &gate;
  SyncTimings timings = FastTimings();
  timings.check_sinks = absl::Milliseconds(10);
  StartClient(timings);
  const auto stream = api_->AcceptOwner(kEpoch);
  SendEvents(*stream, {EventOf(sealer_.Set("first", 5, {}))});
  ASSERT_TRUE(stream->Next(Kind::kProgress).has_progress());
  SendEvents(*stream, {EventOf(sealer_.Set("second", 6, {}))});
  // Lost only now, for an earlier check would find it; one falls due while the first is at work and the second waits.
  memory_.objects.clear();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(stream->Next(Kind::kProgress).has_progress());
  gate.Notify();
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("first@5 READY"));
  EXPECT_TRUE(stream->Next(Kind::kDrift).has_drift());
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("second@6 READY"));
}

TEST_F(SyncClientTest, DoesNotTakeAnApiForSilentThatItHasStoppedListeningTo) {
  absl::Notification gate;
  sink_.gate = &gate;
  SyncTimings timings = FastTimings();
  timings.silence = absl::Milliseconds(200);
  StartClient(timings);
  const auto stream = api_->Accept();
  v1::ApiMessage message;
  message.mutable_welcome()->mutable_heartbeat_interval()->set_nanos(20'000'000);
  stream->Send(message);
  SendEvents(*stream, {EventOf(sealer_.Set("env", 5, {}))});
  ASSERT_TRUE(stream->Next(Kind::kProgress).has_progress());
  message.mutable_bookmark();
  for (int i = 0; i < 100; ++i) stream->Send(message);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(stream->Next(Kind::kHeartbeat).has_heartbeat()) << "ended early";
  gate.Notify();
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("env@5 READY"));
}

TEST_F(SyncClientTest, ReportsEachLostObjectOnceAThousandInAMessageAndTenThousandAtMost) {
  std::vector<ObjectId> lost;
  for (size_t i = 0; i <= kMaxDriftedObjects; ++i) lost.insert(lost.end(), 2, SetId(std::to_string(100'000 + i)));
  StartClient(FastTimings(), lost);
  const auto stream = Connect();
  for (int i = 0; i < 10; ++i) {
    const v1::ProvisionerMessage message = stream->Next(Kind::kDrift);
    ASSERT_EQ(message.drift().objects_size(), 1000);
    EXPECT_EQ(message.drift().objects(0).name(), std::to_string(100'000 + 1000 * i));
    EXPECT_EQ(message.drift().objects(999).name(), std::to_string(100'999 + 1000 * i));
  }
  SendEvents(*stream, {EventOf(sealer_.Set("env", 5, {}))});
  EXPECT_THAT(ReadAcks(*stream, 1), ElementsAre("env@5 READY")) << "the object past the limit is not reported";
}

}  // namespace
}  // namespace keyferry

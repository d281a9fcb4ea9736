#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/model/object_hash.h"
#include "services/provisioner/testing/sync_client_scene.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class SyncClientResyncTest : public SyncClientTest {
 protected:
  static bool ReadSyncDone(FakeStream& stream) {
    const v1::ProvisionerMessage message = stream.Next(Kind::kSyncDone);
    EXPECT_EQ(message.sync_done().sync_id(), "sync");
    return message.sync_done().swept();
  }
  // RETAINs all of `held` sets but the first `unseen`; counts `extra_count` more than it sends. Answers SyncDone.swept.
  bool SendResync(FakeStream& stream, int held, int unseen, bool allow_mass_delete, uint64_t extra_count = 0) {
    v1::ApiMessage message;
    message.mutable_sync_begin()->set_sync_id("sync");
    message.mutable_sync_begin()->set_as_of_revision(100);
    stream.Send(message);
    uint64_t hash = 0;
    for (int i = unseen; i < held; ++i) {
      const ObjectId id = SetId("set-" + std::to_string(10 + i));
      v1::Event event = EventOf(*store_->Get(id).value(), "sync");
      event.set_operation(v1::OPERATION_RETAIN);
      event.clear_payload();
      SendEvents(stream, {event});
      hash += ObjectHash(id);
    }
    v1::SyncEnd* end = message.mutable_sync_end();
    end->set_sync_id("sync");
    end->set_as_of_revision(100);
    end->set_object_count(held - unseen + extra_count);
    end->set_object_hash(hash);
    end->set_allow_mass_delete(allow_mass_delete);
    stream.Send(message);
    return ReadSyncDone(stream);
  }
};

TEST_F(SyncClientResyncTest, SweepsATenthOfTheObjects) {
  Hold(20);
  const auto stream = Connect();
  EXPECT_TRUE(SendResync(*stream, 20, 2, false));
  EXPECT_EQ(store_->object_count(), 18u);
  EXPECT_THAT(memory_.objects, SizeIs(18));
}

TEST_F(SyncClientResyncTest, SweepsNothingWhenItWouldBeMoreThanATenth) {
  Hold(20);
  const auto stream = Connect();
  EXPECT_FALSE(SendResync(*stream, 20, 3, false));
  EXPECT_EQ(store_->object_count(), 20u);
  EXPECT_TRUE(SendResync(*stream, 20, 3, true));
  EXPECT_EQ(store_->object_count(), 17u);
}

TEST_F(SyncClientResyncTest, SweepsNothingWhenTheResyncIsNotComplete) {
  Hold(20);
  const auto stream = Connect();
  EXPECT_FALSE(SendResync(*stream, 20, 1, true, /*extra_count=*/1));
  EXPECT_EQ(store_->object_count(), 20u);
}

TEST_F(SyncClientResyncTest, ForgetsAResyncWhoseStreamDied) {
  Hold(20);
  auto stream = Connect();
  v1::ApiMessage message;
  message.mutable_sync_begin()->set_sync_id("sync");
  message.mutable_sync_begin()->set_as_of_revision(100);
  stream->Send(message);
  ReadBucketHashes(*stream);
  stream->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  stream = Connect();
  v1::SyncEnd* end = message.mutable_sync_end();
  end->set_sync_id("sync");
  end->set_as_of_revision(100);
  end->set_allow_mass_delete(true);
  stream->Send(message);
  EXPECT_FALSE(ReadSyncDone(*stream));
  EXPECT_EQ(store_->object_count(), 20u);
}

TEST_F(SyncClientResyncTest, SaysDoneAfterTheAcksOfItsEvents) {
  const auto stream = Connect();
  v1::ApiMessage message;
  message.mutable_sync_begin()->set_sync_id("sync");
  message.mutable_sync_begin()->set_as_of_revision(100);
  stream->Send(message);
  SendEvents(*stream, {EventOf(sealer_.Set("env", 5, {}), "sync"), EventOf(Tombstone(SetId("gone"), 6), "sync"),
                       EventOf(sealer_.Set("env", 5, {}), "sync"), EventOf(sealer_.Set("other", 101, {}))});
  v1::SyncEnd* end = message.mutable_sync_end();
  end->set_sync_id("sync");
  end->set_as_of_revision(100);
  end->set_object_count(2);
  end->set_object_hash(ObjectHash(SetId("env")) + ObjectHash(SetId("gone")));
  stream->Send(message);
  EXPECT_THAT(ReadAcks(*stream, 4),
              ElementsAre("env@5 READY", "gone@6 READY", "env@5 DIGEST_MISMATCH", "other@101 READY"));
  EXPECT_TRUE(ReadSyncDone(*stream));
}

TEST_F(SyncClientResyncTest, ReportsDriftForARetainOfWhatItDoesNotHold) {
  const auto stream = Connect();
  RegionObject object = sealer_.Set("lost", 5, {});
  object.version.operation = Operation::kRetain;
  SendEvents(*stream, {EventOf(object)});
  const v1::ProvisionerMessage message = stream->Next(Kind::kDrift);
  ASSERT_EQ(message.drift().objects_size(), 1);
  EXPECT_EQ(message.drift().objects(0).name(), "lost");
}

}  // namespace
}  // namespace keyferry

// The scene of SyncClient's tests: a client with a store, a reconciler and one sink in memory, and a fake API.
#ifndef KEYFERRY_SERVICES_PROVISIONER_TESTING_SYNC_CLIENT_SCENE_H_
#define KEYFERRY_SERVICES_PROVISIONER_TESTING_SYNC_CLIENT_SCENE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/synchronization/notification.h"
#include "libs/common/testing/temp_dir.h"
#include "services/provisioner/sync_client.h"
#include "services/provisioner/sync_messages.h"
#include "services/provisioner/testing/fake_api.h"
#include "services/provisioner/testing/memory_sink.h"
#include "services/provisioner/testing/object_sealer.h"

namespace keyferry {

using Kind = v1::ProvisionerMessage;

inline constexpr uint64_t kEpoch = 3;

inline SyncTimings FastTimings() {
  return {.progress = absl::Milliseconds(20),
          .min_first_retry = absl::Milliseconds(1),
          .max_first_retry = absl::Milliseconds(5),
          .min_retry = absl::Milliseconds(5),
          .max_retry = absl::Milliseconds(50)};
}

// Applies only when a test lets it.
class HeldBackSink final : public Sink {
 public:
  explicit HeldBackSink(Sink& sink) : sink_(sink) {}
  std::string_view name() const override { return sink_.name(); }
  absl::Status Apply(const OpenedObject& object) override {
    if (gate) gate->WaitForNotification();
    return sink_.Apply(object);
  }
  absl::Status Remove(const ObjectId& id) override { return sink_.Remove(id); }
  absl::Status Verify(const OpenedObject& object) override { return sink_.Verify(object); }
  absl::StatusOr<std::vector<ObjectId>> List() override { return sink_.List(); }

  absl::Notification* gate = nullptr;

 private:
  Sink& sink_;
};

class SyncClientTest : public ::testing::Test {
 protected:
  ~SyncClientTest() override { client_ = nullptr; }

  void StartClient(SyncTimings timings = FastTimings(), std::vector<ObjectId> drifted = {}) {
    client_ = SyncClient::Start({.region = "us-west",
                                 .provisioner_id = "us-west-1",
                                 .sealing_key_ids = [this] { return keys_.Get()->ids(); },
                                 .version = "1.2.3",
                                 .new_channel = [this] { return InsecureChannel(port_); },
                                 .store = *store_,
                                 .reconciler = reconciler_,
                                 .executor = *executor_,
                                 .drifted = std::move(drifted),
                                 .timings = timings,
                                 .on_owned =
                                     [this](std::optional<std::string> id) {
                                       absl::MutexLock lock(&mutex_);
                                       owned_under_.push_back(std::move(id));
                                     }});
  }
  // The client's stream, granted.
  std::shared_ptr<FakeStream> Connect() {
    if (!client_) StartClient();
    return api_->AcceptOwner(kEpoch);
  }

  v1::Event EventOf(const RegionObject& object, const std::string& sync_id = "") const {
    v1::Event event;
    ToWire(object.id, event.mutable_object());
    event.set_uid(absl::HexStringToBytes(object.uid));
    event.set_revision(object.version.revision);
    event.set_operation(static_cast<v1::Operation>(object.version.operation));
    event.set_epoch(kEpoch);
    event.set_target_incarnation(store_->meta().target_incarnation);
    event.set_payload(object.sealed_object);
    event.set_digest(object.version.digest);
    event.set_sync_id(sync_id);
    return event;
  }
  static void SendEvents(FakeStream& stream, const std::vector<v1::Event>& events) {
    v1::ApiMessage message;
    for (const v1::Event& event : events) *message.mutable_events()->add_events() = event;
    stream.Send(std::move(message));
  }
  // `name@revision READY` or `name@revision REASON [permanent]`, until there are as many.
  static std::vector<std::string> ReadAcks(FakeStream& stream, size_t count) {
    std::vector<std::string> texts;
    while (texts.size() < count) {
      const v1::ProvisionerMessage message = stream.Next(Kind::kAcks);
      if (!message.has_acks()) break;
      for (const v1::Ack& ack : message.acks().acks()) {
        EXPECT_EQ(ack.epoch(), kEpoch);
        texts.push_back(ack.object().name() + "@" + std::to_string(ack.revision()) + " " +
                        (ack.result() == v1::ACK_RESULT_READY ? "READY" : ack.error_reason()) +
                        (ack.permanent() ? " permanent" : ""));
      }
    }
    return texts;
  }
  // Comes back when everything sent before was worked off.
  static std::vector<uint64_t> ReadBucketHashes(FakeStream& stream) {
    v1::ApiMessage message;
    message.mutable_inventory_request();
    stream.Send(std::move(message));
    const v1::ProvisionerMessage answer = stream.Next(Kind::kInventory);
    return {answer.inventory().bucket_hashes().begin(), answer.inventory().bucket_hashes().end()};
  }
  void Hold(int count) {
    std::vector<RegionObject> events;
    for (int i = 0; i < count; ++i)
      events.push_back(sealer_.Set("set-" + std::to_string(10 + i), i + 1, {{"KEY", "one"}}));
    reconciler_.Apply(events);
  }

  absl::Mutex mutex_;
  std::vector<std::optional<std::string>> owned_under_ ABSL_GUARDED_BY(mutex_);
  TempDir directory_{"/dev/shm"};
  RegionKey key_ = RegionKey::Generate();
  RegionKeys keys_{*RegionKey::FromPrivate(key_.private_key().Clone())};
  ObjectSealer sealer_{key_};
  std::unique_ptr<RegionStore> store_ = RegionStore::Open(directory_.path(), "us-west").value();
  MemorySink memory_;
  HeldBackSink sink_{memory_};
  Reconciler reconciler_{{.store = *store_, .keys = keys_, .sinks = {&sink_}}};
  std::unique_ptr<Executor> executor_ = NewThreadPool(3);
  std::unique_ptr<FakeApi> api_ = FakeApi::Start();
  std::atomic<int> port_ = api_->port();
  std::unique_ptr<SyncClient> client_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_TESTING_SYNC_CLIENT_SCENE_H_

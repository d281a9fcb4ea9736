// An API that lies: any messages to a region that holds a genuine object, by the stream's own way: in groups, worked
// off and answered. What shows was sealed to the region, within the limits of names and values; every event is answered
// once; answers hold no value.
//
// The input: ApiMessages, each behind its length. An event of the right target may leave that out; an APPLY without a
// digest has a SealedObject with plaintexts for a payload, which is sealed here: whoever lies has the region's public
// key; and `=` is the payload's digest.
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/clock.h"
#include "libs/common/limits.h"
#include "libs/common/log.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/aead.h"
#include "libs/model/names.h"
#include "libs/rpc/sealed_object_codec.h"
#include "services/provisioner/event_worker.h"
#include "services/provisioner/sync_messages.h"
#include "services/provisioner/testing/memory_sink.h"
#include "services/provisioner/testing/object_sealer.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr size_t kMaxMessages = 16;
// Every value begins so, and nothing else holds it. In no dictionary, and base64.
constexpr std::string_view kValue = "v4lueThatNobodyMayTell";
constexpr uint64_t kFirstRevision = 1;
constexpr char kTrueDigest[] = "=";

std::deque<v1::ApiMessage> MessagesIn(std::string_view bytes) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  std::deque<v1::ApiMessage> messages;
  bool at_end = false;
  while (messages.size() < kMaxMessages) {
    v1::ApiMessage message;
    if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(&message, &stream, &at_end)) break;
    messages.push_back(std::move(message));
  }
  return messages;
}

class Region {
 public:
  Region() { reconciler_.Apply({sealer_.Set("genuine", kFirstRevision, {{"KEY", std::string(kValue)}})}); }

  void Run(std::deque<v1::ApiMessage> messages) {
    for (v1::ApiMessage& message : messages) Complete(message);
    EventWorker worker(*store_, reconciler_, store_->meta().target_incarnation);
    while (!messages.empty()) {
      const std::vector<v1::ApiMessage> group = TakeGroup(messages);
      Require(!group.empty(), "the backlog shrinks");
      Require(EventsToAnswer(group) == CheckAnswers(worker.Work(group)), "every event but RETAIN is acked once");
      for (const auto& [id, shown] : sink_.objects) RequireFit(id, shown);
    }
    CheckHello();
  }

  // It holds what it held at first, so that the next input finds it so; to make one takes a while.
  bool IsAsNew() const {
    size_t as_new = 0, others = 0;
    const absl::Status visited = store_->ForEach(std::nullopt, [&](const RegionObject& object) {
      ++(object.version.revision == kFirstRevision && object.version.operation == Operation::kApply ? as_new : others);
      return true;
    });
    return visited.ok() && as_new == 1 && others == 0 && store_->meta().settled_floor == 0;
  }

 private:
  void Complete(v1::ApiMessage& message) {
    if (message.has_welcome()) static_cast<void>(FromWire(message.welcome().heartbeat_interval()));
    if (message.has_drain()) static_cast<void>(FromWire(message.drain().reconnect_after()));
    if (!message.has_events()) return;
    for (v1::Event& event : *message.mutable_events()->mutable_events()) {
      if (event.target_incarnation().empty()) event.set_target_incarnation(store_->meta().target_incarnation);
      if (event.operation() == v1::OPERATION_APPLY && event.digest().empty()) Seal(event);
      if (event.digest() == kTrueDigest) event.set_digest(Sha256(event.payload()));
    }
  }
  void Seal(v1::Event& event) {
    const std::optional<RegionObject> object = FromWire(event);
    absl::StatusOr<SealedObject> lie = ParseSealedObject(event.payload());
    if (!object || !lie.ok()) return;
    const bool is_set = object->id.kind == ObjectKind::kSecretSet;
    SealEntries(*lie, lie->entries, is_set ? object->uid : lie->secret_set_uid);
    if (lie->pull_entry != SealedEntry{}) {
      std::vector<SealedEntry> pull = {lie->pull_entry};
      SealEntries(*lie, pull, lie->pull_secret_uid);
      lie->pull_entry = pull[0];
    }
    event.set_payload(SerializeSealedObject(*std::move(lie)));
    event.set_digest(kTrueDigest);
  }
  // An entry that names a data key stays as it is.
  void SealEntries(SealedObject& sealed, std::vector<SealedEntry>& entries, const std::string& set_uid) {
    const DataKey data_key = DataKey::Create({.organization_uid = sealed.organization_uid, .set_uid = set_uid});
    for (SealedEntry& entry : entries) {
      if (entry.data_key_id.empty())
        entry = data_key.Seal(entry.key, SecretBytes::Take(std::string(kValue) + entry.ciphertext));
    }
    sealed.data_keys.push_back(*data_key.SealToRegion(*sender_, key_.public_key()));
  }

  static size_t EventsToAnswer(const std::vector<v1::ApiMessage>& group) {
    size_t count = 0;
    v1::ProvisionerMessage progress;
    for (const v1::ApiMessage& message : group) {
      AddProgress(message, progress);
      for (const v1::Event& event : message.events().events()) count += event.operation() != v1::OPERATION_RETAIN;
    }
    Require(static_cast<size_t>(progress.progress().objects_size()) == count, "what is worked on is told");
    return count;
  }
  static size_t CheckAnswers(const std::vector<v1::ProvisionerMessage>& answers) {
    size_t acks = 0;
    for (const v1::ProvisionerMessage& answer : answers) {
      acks += answer.acks().acks_size();
      for (const v1::Ack& ack : answer.acks().acks()) {
        const bool failed = ack.result() == v1::ACK_RESULT_FAILED;
        Require(failed == !ack.error_reason().empty(), "what failed has a reason");
        Require(ack.error_message().find(kValue) == std::string::npos, "an ack holds no value");
      }
      std::string bytes;
      Require(answer.SerializeToString(&bytes) && bytes.size() < kMaxReceiveMessageBytes, "an answer can be sent");
    }
    return acks;
  }

  static void RequireFit(const ObjectId& id, const MemorySink::Shown& shown) {
    const bool is_set = id.kind == ObjectKind::kSecretSet;
    Require(!CheckOrganizationName("f", id.organization) &&
                !(is_set ? CheckSecretSetName("f", id.name) : CheckAgentName("f", id.name)),
            "names are names");
    for (const auto& [key, value] : shown) {
      if (key == ".dockerconfigjson") {
        Require(value.find(kValue) != std::string::npos && value.size() <= kMaxPullAuthBytes + kMaxHostLength + 64,
                "pull credentials were sealed to the region");
      } else {
        Require(!CheckSecretKey("f", key), "a key is a key");
        Require(value.starts_with(kValue) && value.size() <= kMaxValueBytes && value.find('\0') == std::string::npos,
                "a value was sealed to the region, and fits");
      }
    }
  }
  void CheckHello() const {
    const RegionMeta meta = store_->meta();
    const std::string id(16, 'b');
    const v1::ProvisionerMessage hello = HelloOf(meta, {"us-west", "p1", "1.2.3", id, key_.id()});
    Require(hello.hello().max_revision_seen() == meta.max_revision_seen && meta.max_revision_seen >= kFirstRevision,
            "the next stream tells what was seen");
  }

  TempDir directory_{"/dev/shm"};
  const RegionKey key_ = RegionKey::Generate();
  const std::unique_ptr<SealedBoxSender> sender_ = SealedBoxSender::Create(SystemClock());
  RegionKeys keys_{*RegionKey::FromPrivate(key_.private_key().Clone())};
  ObjectSealer sealer_{key_};
  std::unique_ptr<RegionStore> store_ = RegionStore::Open(directory_.path(), "us-west").value();
  MemorySink sink_;
  Reconciler reconciler_{{.store = *store_, .keys = keys_, .sinks = {&sink_}}};
};

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  keyferry::SetLogLevel(keyferry::Severity::kError);
  // Ends before what RocksDB leaves to the end of the process.
  static auto region = std::make_unique<keyferry::Region>();
  if (!region->IsAsNew()) region = std::make_unique<keyferry::Region>();
  region->Run(keyferry::MessagesIn(keyferry::TextOf(data, size)));
  return 0;
}

// Provisioners that lie: any messages on their streams, in any order, between the API's own steps. Whatever they say,
// what is desired, what is stored and other regions stay as they are, and the API goes on: another region's honest
// provisioner gets what is its own.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/log.h"
#include "libs/crypto/sealed_box.h"
#include "libs/model/names.h"
#include "libs/model/object_hash.h"
#include "libs/storage/keys.h"
#include "services/api/testing/fake_region.h"
#include "services/api/testing/region_scene.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr size_t kMaxMessages = 64;
constexpr size_t kMaxStreams = 4;
constexpr char kNextKey[] = "the next sealing key";

// Of sets that the API writes meanwhile.
constexpr char kWritten[] = "more-";

// What no provisioner may change. A loss that it reports is answered with the same once more, at another time.
std::string Untouchable(RegionScene& scene) {
  std::string all;
  for (const Family family : {Family::kMeta, Family::kGenerations}) {
    for (const KeyedRow& row : scene.store().AllOf(family)) {
      const bool is_of_region = family == Family::kMeta && row.key.bytes.find("us-west") != std::string::npos;
      if (!is_of_region && row.row.value.find(kWritten) == std::string::npos) all += row.key.bytes + row.row.value;
    }
  }
  for (const char* name : {"set-0", "set-1"}) {
    DesiredState desired = scene.Rows("us-west", SetNamed(name)).desired.value_or(DesiredState{});
    desired.desired_time = absl::UnixEpoch();
    all += Encode(desired);
  }
  return all;
}

// Records of the input: what to do, its length, its bytes.
class Script {
 public:
  explicit Script(RegionScene& scene) : scene_(scene) { Open(""); }

  void Run(std::string_view text) {
    for (size_t i = 0; i < kMaxMessages && text.size() >= 2; ++i) {
      const auto what = static_cast<unsigned char>(text[0]);
      const size_t length = std::min<size_t>(static_cast<unsigned char>(text[1]), text.size() - 2);
      Do(what, text.substr(2, length));
      text.remove_prefix(2 + length);
    }
  }
  void SayHello() { streams_.back()->SayHello(); }

 private:
  void Do(unsigned char what, std::string_view bytes) {
    switch (what % 16) {
      case 0:
        return scene_.executor().RunUntilIdle();
      case 1:
        return scene_.executor().Advance(absl::Milliseconds(100 * bytes.size()));
      case 2:
        return stream().WorkAll();
      case 5:
        return stream().HalfClose();
      case 6:
        return stream().Break();
      case 7:
        return Open(bytes);
      case 8:
        current_ = ByteAt(bytes, 0) % streams_.size();
        return;
      case 9:
        return scene_.directory().BeginAudit("us-west");
      case 10:
        return scene_.directory().DrainAll(absl::Seconds(5));
      case 11:
        scene_.revoked.insert("spiffe://keyferry.test/region/us-west/provisioner/p1");
        return scene_.directory().CheckRevoked();
      case 12:
        return Write(1 + ByteAt(bytes, 0) % 24);
      case 13:
        return ChangeSealingKey();
      case 14:
        return scene_.directory().ExtendCertificate("us-west", "p1",
                                                    scene_.clock().Now() + absl::Seconds(ByteAt(bytes, 0)));
      default:
        Say(bytes);
    }
  }
  static unsigned char ByteAt(std::string_view bytes, size_t place) {
    return place < bytes.size() ? static_cast<unsigned char>(bytes[place]) : 0;
  }
  FakeProvisioner& stream() { return *streams_[current_]; }

  // A stream more of p1 or p2; of another process when the second byte is odd, of one that has the next sealing key
  // when the third is, of one whose certificate lives so many seconds as the fourth says.
  void Open(std::string_view bytes) {
    if (streams_.size() == kMaxStreams) return;
    const absl::Time expiry =
        bytes.size() < 4 ? absl::InfiniteFuture() : scene_.clock().Now() + absl::Seconds(ByteAt(bytes, 3));
    auto opened =
        std::make_unique<FakeProvisioner>(region_, scene_.directory(), ByteAt(bytes, 0) % 2 == 0 ? "p1" : "p2",
                                          ByteAt(bytes, 1) % 2 == 0 ? 'b' : 'c', expiry);
    // The API has drained.
    if (opened->finished()) return;
    streams_.push_back(std::move(opened));
    current_ = streams_.size() - 1;
    if (bytes.empty()) return;
    v1::Hello hello = stream().MakeHello();
    if (ByteAt(bytes, 2) % 2 == 1) hello.set_sealing_key_id(SealingKeyId(SealingKeyOf(kNextKey)));
    stream().SayHello(hello);
  }
  void Write(int count) {
    for (int i = 0; i < count; ++i) scene_.Write("us-west", kWritten + std::to_string(i));
  }
  void ChangeSealingKey() {
    Require(scene_
                .Commit([](Transaction& transaction) {
                  transaction.Put(keys::Region("us-west"),
                                  Encode(RegionRow{.sealing_key = SealingKeyOf(kNextKey),
                                                   .previous_sealing_keys = {SealingKeyOf("us-west")}}));
                  return absl::OkStatus();
                })
                .ok(),
            "the sealing key changes");
  }
  // What a message leaves out is the truth: a lie gets further so.
  void Say(std::string_view bytes) {
    v1::ProvisionerMessage message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if (message.has_hello() && message.hello().protocol_version() == 0) {
      v1::Hello hello = stream().MakeHello();
      hello.MergeFrom(message.hello());
      *message.mutable_hello() = hello;
    }
    if (message.has_acks()) {
      for (v1::Ack& ack : *message.mutable_acks()->mutable_acks()) Complete(ack);
    }
    if (message.has_sync_done()) Complete(*message.mutable_sync_done());
    if (message.has_inventory()) Complete(*message.mutable_inventory());
    stream().Say(std::move(message));
  }
  void Complete(v1::Ack& ack) {
    const v1::ApiMessage* granted = stream().Last(&v1::ApiMessage::has_grant);
    if (ack.epoch() == 0 && granted != nullptr) ack.set_epoch(granted->grant().epoch());
    if (ack.target_incarnation().empty()) ack.set_target_incarnation(region_.incarnation());
    const PlacementRows placement = scene_.Rows("us-west", SetNamed(ack.object().name()));
    if (!placement.desired) return;
    if (ack.uid().empty()) ack.set_uid(absl::HexStringToBytes(placement.desired->uid));
    if (ack.revision() == 0) ack.set_revision(placement.desired->revision);
    if (ack.digest().empty()) ack.set_digest(placement.desired->digest);
  }
  void Complete(v1::SyncDone& done) {
    const v1::ApiMessage* begun = stream().Last(&v1::ApiMessage::has_sync_begin);
    if (done.sync_id().empty() && begun != nullptr) done.set_sync_id(begun->sync_begin().sync_id());
  }
  // Records are too short for the hashes of all buckets.
  static void Complete(v1::Inventory& inventory) {
    if (inventory.bucket_hashes().empty()) return;
    while (inventory.bucket_hashes_size() < kInventoryBuckets) inventory.add_bucket_hashes(inventory.bucket_hashes(0));
  }

  RegionScene& scene_;
  FakeRegion region_{"us-west"};
  std::vector<std::unique_ptr<FakeProvisioner>> streams_;
  size_t current_ = 0;
};

// What a provisioner says that it holds may be deleted, but not under any name.
void RequireNames(RegionScene& scene) {
  for (const KeyedRow& row : scene.store().AllOf(Family::kPlacements)) {
    const std::optional<ObjectId> object = keys::ObjectOf(row.key);
    Require(object && !CheckOrganizationName("f", object->organization), "a placement is an organization's");
    const bool is_set = object->kind == ObjectKind::kSecretSet;
    Require(!(is_set ? CheckSecretSetName("f", object->name) : CheckAgentName("f", object->name)), "and has a name");
  }
}

// The API goes on.
void RequireServed(RegionScene& scene, const std::string& code, const ObjectId& set) {
  FakeRegion region(code);
  FakeProvisioner honest(region, scene.directory(), "p1");
  // It has drained.
  if (honest.finished()) return;
  honest.SayHello();
  Settle(scene, {&honest});
  Require(scene.ReadinessOf(code, set) == Readiness::kReady,
          "an honest provisioner of another region gets what is its own");
}

void Run(std::string_view text) {
  RegionScene scene;
  scene.CreateRegion("us-west");
  scene.CreateRegion("us-east");
  scene.Write("us-west", "set-0");
  scene.Write("us-west", "set-1");
  scene.Write("us-east", "set-2");
  const std::string before = Untouchable(scene);
  {
    Script script(scene);
    if (!text.empty() && text[0] % 2 == 0) script.SayHello();
    scene.executor().RunUntilIdle();
    if (!text.empty()) script.Run(text.substr(1));
    scene.executor().Advance(absl::Seconds(1));
  }
  scene.executor().RunUntilIdle();
  Require(Untouchable(scene) == before, "a provisioner changes nothing that is not its own");
  Require(scene.ReadinessOf("us-east", SetNamed("set-2")) != Readiness::kReady, "it speaks for its own region alone");
  RequireNames(scene);
  RequireServed(scene, "us-east", SetNamed("set-2"));
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  keyferry::SetLogLevel(keyferry::Severity::kError);
  keyferry::Run(keyferry::TextOf(data, size));
  return 0;
}

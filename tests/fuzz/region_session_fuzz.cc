// A provisioner that lies: any messages on its stream, in any order, between the API's own steps. Whatever it says,
// what is desired, what is stored and other regions stay as they are, and the API goes on.
#include <memory>
#include <string>

#include "keyferry/v1/provisioning.pb.h"
#include "libs/storage/keys.h"
#include "services/api/testing/fake_region.h"
#include "services/api/testing/region_scene.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr size_t kMaxMessages = 32;

// What no provisioner may change.
std::string Untouchable(RegionScene& scene) {
  std::string all;
  for (const Family family : {Family::kMeta, Family::kGenerations}) {
    for (const KeyedRow& row : scene.store().AllOf(family)) {
      if (row.key.bytes.find("us-west") == std::string::npos || family == Family::kGenerations)
        all += row.key.bytes + row.row.value;
    }
  }
  for (const char* name : {"set-0", "set-1"}) {
    const PlacementRows placement = scene.Rows("us-west", SetNamed(name));
    if (placement.desired) all += Encode(*placement.desired);
  }
  return all;
}

// Records of the input: what to do, its length, its bytes.
class Script {
 public:
  Script(std::string_view text, RegionScene& scene, FakeProvisioner& stream)
      : text_(text), scene_(scene), stream_(stream) {}

  void Run() {
    for (size_t i = 0; i < kMaxMessages && text_.size() >= 2; ++i) {
      const auto what = static_cast<unsigned char>(text_[0]);
      const size_t length = std::min<size_t>(static_cast<unsigned char>(text_[1]), text_.size() - 2);
      Do(what, text_.substr(2, length));
      text_.remove_prefix(2 + length);
    }
  }

 private:
  void Do(unsigned char what, std::string_view bytes) {
    switch (what % 5) {
      case 0:
        return scene_.executor().RunUntilIdle();
      case 1:
        return scene_.executor().Advance(absl::Milliseconds(100 * bytes.size()));
      case 2:
        return stream_.WorkAll();
      default:
        Say(bytes);
    }
  }
  // The stream's own epoch and incarnation where the message has none: a lie gets further so.
  void Say(std::string_view bytes) {
    v1::ProvisionerMessage message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if (message.has_acks()) {
      for (v1::Ack& ack : *message.mutable_acks()->mutable_acks()) Complete(ack);
    }
    stream_.Say(std::move(message));
  }
  void Complete(v1::Ack& ack) const {
    if (ack.epoch() == 0) ack.set_epoch(stream_.epoch());
    if (ack.target_incarnation().empty()) ack.set_target_incarnation(std::string(16, 'i'));
  }

  std::string_view text_;
  RegionScene& scene_;
  FakeProvisioner& stream_;
};

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using keyferry::Require;
  keyferry::RegionScene scene;
  scene.CreateRegion("us-west");
  scene.CreateRegion("us-east");
  scene.Write("us-west", "set-0");
  scene.Write("us-west", "set-1");
  scene.Write("us-east", "set-2");
  const std::string before = keyferry::Untouchable(scene);
  keyferry::FakeRegion region("us-west");
  {
    keyferry::FakeProvisioner stream(region, scene.directory(), "p1");
    if (size > 0 && data[0] % 2 == 0) stream.SayHello();
    scene.executor().RunUntilIdle();
    if (size > 0) keyferry::Script(keyferry::TextOf(data + 1, size - 1), scene, stream).Run();
    scene.executor().Advance(absl::Seconds(1));
  }
  Require(keyferry::Untouchable(scene) == before, "a provisioner changes nothing that is not its own");
  Require(scene.ReadinessOf("us-east", keyferry::SetNamed("set-2")) != keyferry::Readiness::kReady,
          "it speaks for its own region alone");
  return 0;
}

// An API that lies: any events to a region that holds a genuine object. What was not sealed to the region never shows;
// the genuine object goes on unless a newer event of the right shape says so; every event is answered.
#include <map>
#include <string>

#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/testing/temp_dir.h"
#include "services/provisioner/reconciler.h"
#include "services/provisioner/sync_messages.h"
#include "services/provisioner/testing/memory_sink.h"
#include "services/provisioner/testing/object_sealer.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

class Region {
 public:
  void Run(std::string_view bytes) {
    v1::EventBatch batch;
    if (!batch.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    std::vector<RegionObject> events;
    std::vector<const v1::Event*> wires;
    for (const v1::Event& wire : batch.events()) {
      std::optional<RegionObject> event = FromWire(wire);
      if (!event) {
        Require(AckOfMalformed(wire, kIncarnation).permanent(), "no retry helps a malformed event");
        continue;
      }
      if (event->version.operation == Operation::kRetain) continue;
      events.push_back(*std::move(event));
      wires.push_back(&wire);
    }
    const std::vector<Settlement> settled = reconciler_.Apply(events);
    Require(settled.size() == events.size(), "every event is settled");
    for (size_t i = 0; i < settled.size(); ++i) RequireCleanAck(AckOf(settled[i], *wires[i], kIncarnation));
    RequireNothingForged();
    Require(AnswerInventory(*store_, {0, 1, 4095, 4096, 1u << 31}).ok(),
            "an inventory is answered, whatever buckets it asks for");
  }

 private:
  static constexpr char kIncarnation[] = "0123456789abcdef";

  static void RequireCleanAck(const v1::Ack& ack) {
    Require(ack.error_message().find(kSentinel) == std::string::npos, "an ack holds no value");
  }
  // One value was ever sealed to this region's key, so no other can show.
  void RequireNothingForged() const {
    for (const auto& [id, shown] : sink_.objects) {
      for (const auto& [key, value] : shown) Require(value == kSentinel, "no value shows that nobody sealed");
    }
  }

  TempDir directory_{"/dev/shm"};
  const RegionKey key_ = RegionKey::Generate();
  RegionKeys keys_{*RegionKey::FromPrivate(key_.private_key().Clone())};
  ObjectSealer sealer_{key_};
  std::unique_ptr<RegionStore> store_ = RegionStore::Open(directory_.path(), "us-west").value();
  MemorySink sink_;
  Reconciler reconciler_{{.store = *store_, .keys = keys_, .sinks = {&sink_}}};
  const std::vector<Settlement> genuine_ =
      reconciler_.Apply({sealer_.Set("genuine", 1, {{"KEY", std::string(kSentinel)}})});
};

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const region = new keyferry::Region();
  region->Run(keyferry::TextOf(data, size));
  return 0;
}

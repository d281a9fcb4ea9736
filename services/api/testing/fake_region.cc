#include "services/api/testing/fake_region.h"

#include <algorithm>

#include "libs/common/limits.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/sealed_box.h"
#include "libs/model/object_hash.h"
#include "services/api/provisioning_messages.h"

namespace keyferry {

void Settle(RegionScene& scene, std::vector<FakeProvisioner*> provisioners) {
  for (bool worked = true; worked;) {
    scene.executor().RunUntilIdle();
    worked = false;
    for (FakeProvisioner* provisioner : provisioners) {
      while (provisioner->WorkOne()) worked = true;
    }
  }
}

void Pass(RegionScene& scene, absl::Duration duration, std::vector<FakeProvisioner*> provisioners) {
  for (absl::Duration passed; passed < duration; passed += absl::Seconds(1)) {
    scene.executor().Advance(std::min(absl::Seconds(1), duration - passed));
    for (FakeProvisioner* provisioner : provisioners) provisioner->Heartbeat();
    Settle(scene, provisioners);
  }
}

v1::ObjectId WireOf(const ObjectId& object) {
  v1::ObjectId wire;
  ToWire(object, &wire);
  return wire;
}

ObjectId ObjectOfWire(const v1::ObjectId& wire) {
  return {.kind = static_cast<ObjectKind>(wire.kind()), .organization = wire.organization(), .name = wire.name()};
}

v1::Ack FakeRegion::Apply(const v1::Event& event) {
  const ObjectId object = ObjectOfWire(event.object());
  v1::Ack ack;
  *ack.mutable_object() = event.object();
  ack.set_uid(event.uid());
  ack.set_revision(event.revision());
  ack.set_epoch(event.epoch());
  ack.set_target_incarnation(incarnation_);
  ack.set_result(v1::ACK_RESULT_FAILED);
  const auto held = objects_.find(object);
  if (held == objects_.end() && event.revision() <= floor_) {
    ack.set_error_reason("BELOW_FLOOR");
    return ack;
  }
  const bool older = held != objects_.end() && event.revision() < held->second.revision;
  if (const auto fails = failing.find(object); fails != failing.end() && !older) {
    ack.set_error_reason(fails->second.error_reason());
    ack.set_error_message(fails->second.error_message());
    ack.set_permanent(fails->second.permanent());
    return ack;
  }
  if (!older) {
    went_back = went_back || event.revision() < highest_[object];
    highest_[object] = event.revision();
    max_revision_seen_ = std::max(max_revision_seen_, event.revision());
    objects_[object] = {.uid = event.uid(), .revision = event.revision(), .deleted = event.operation() == v1::OPERATION_DELETE, .payload = event.payload()};
  }
  const FakeObject& now = objects_.at(object);
  ack.set_uid(now.uid);
  ack.set_revision(now.revision);
  ack.set_digest(now.deleted ? "" : Sha256(now.payload));
  ack.set_result(v1::ACK_RESULT_READY);
  return ack;
}

void FakeRegion::RaiseFloor(uint64_t floor) {
  floor_ = std::max(floor_, floor);
  std::erase_if(objects_, [this](const auto& object) { return object.second.deleted && object.second.revision <= floor_; });
}

void FakeRegion::Wipe(char incarnation) {
  incarnation_ = std::string(16, incarnation);
  objects_.clear();
  highest_.clear();
  floor_ = max_revision_seen_ = 0;
}

std::optional<std::string> FakeRegion::Held(const ObjectId& object) const {
  const auto held = objects_.find(object);
  if (held == objects_.end() || held->second.deleted) return std::nullopt;
  return held->second.payload;
}

// Outlives the provisioner while the session does.
class FakeProvisioner::Transport final : public SyncTransport {
 public:
  explicit Transport(FakeProvisioner* provisioner) : provisioner_(provisioner) {}
  void Send(const v1::ApiMessage& message) override {
    if (provisioner_ == nullptr) return;
    provisioner_->inbox_.push_back(message);
    provisioner_->log_.push_back(message);
    provisioner_->session_->Sent();
  }
  void Finish(absl::Status status) override {
    if (provisioner_ != nullptr) provisioner_->finished_ = std::move(status);
  }
  void Detach() { provisioner_ = nullptr; }

 private:
  FakeProvisioner* provisioner_;
};

FakeProvisioner::FakeProvisioner(FakeRegion& region, RegionDirectory& directory, const std::string& id, char boot_id,
                                 absl::Time certificate_expiry)
    : region_(region), transport_(std::make_shared<Transport>(this)), id_(id), boot_id_(16, boot_id) {
  Caller caller{.kind = CallerKind::kProvisioner,
                .principal = "spiffe://keyferry.test/region/" + region.code() + "/provisioner/" + id,
                .region = region.code(), .provisioner_id = id, .certificate_expiry = certificate_expiry};
  absl::StatusOr<std::shared_ptr<RegionSession>> session = directory.Open(caller, transport_);
  if (session.ok()) {
    session_ = *std::move(session);
  } else {
    finished_ = session.status();
  }
}

FakeProvisioner::~FakeProvisioner() {
  transport_->Detach();
  if (session_) session_->Disconnected();
}

v1::Hello FakeProvisioner::MakeHello() const {
  v1::Hello hello;
  hello.set_protocol_version(1);
  hello.set_region(region_.code());
  hello.set_provisioner_id(id_);
  hello.set_boot_id(boot_id_);
  hello.set_target_incarnation(region_.incarnation());
  hello.set_max_revision_seen(region_.max_revision_seen());
  hello.set_max_inflight_objects(kMaxInflightObjects);
  hello.set_max_inflight_bytes(kMaxInflightBytes);
  hello.set_sealing_key_id(SealingKeyId(SealingKeyOf(region_.code())));
  hello.set_version("test");
  return hello;
}

void FakeProvisioner::SayHello(const v1::Hello& hello) {
  v1::ProvisionerMessage message;
  *message.mutable_hello() = hello;
  Say(std::move(message));
}

void FakeProvisioner::Say(v1::ProvisionerMessage message) {
  session_->Received(std::make_shared<const v1::ProvisionerMessage>(std::move(message)), [] {});
}

void FakeProvisioner::Heartbeat() {
  v1::ProvisionerMessage message;
  message.mutable_heartbeat();
  Say(std::move(message));
}

void FakeProvisioner::Ack(v1::Ack ack) {
  v1::ProvisionerMessage message;
  *message.mutable_acks()->add_acks() = std::move(ack);
  Say(std::move(message));
}

void FakeProvisioner::Break() { session_->Disconnected(); }
void FakeProvisioner::HalfClose() { session_->HalfClosed(); }

bool FakeProvisioner::WorkOne() {
  if (inbox_.empty()) return false;
  const v1::ApiMessage message = std::move(inbox_.front());
  inbox_.pop_front();
  Work(message);
  return true;
}

std::vector<v1::Event> FakeProvisioner::TakeEvents() {
  while (!inbox_.empty() && !inbox_.front().has_events()) WorkOne();
  if (inbox_.empty()) return {};
  const v1::EventBatch batch = inbox_.front().events();
  inbox_.pop_front();
  return {batch.events().begin(), batch.events().end()};
}

void FakeProvisioner::Work(const v1::ApiMessage& message) {
  if (message.has_grant()) epoch_ = message.grant().epoch();
  if (message.has_bookmark()) region_.RaiseFloor(message.bookmark().settled_floor());
  if (message.has_sync_begin()) {
    sync_id_ = message.sync_begin().sync_id();
    seen_.clear();
  }
  if (message.has_sync_end()) Sweep(message.sync_end());
  if (message.has_inventory_request()) AnswerInventory(message.inventory_request());
  for (const v1::Event& event : message.events().events()) {
    Saw(event);
    if (event.operation() != v1::OPERATION_RETAIN) Ack(event);
  }
}

void FakeProvisioner::Saw(const v1::Event& event) {
  const ObjectId object = ObjectOfWire(event.object());
  if (!event.sync_id().empty() && event.sync_id() == sync_id_) seen_.insert(object);
  if (event.operation() != v1::OPERATION_RETAIN) return;
  const auto held = region_.objects().find(object);
  if (held != region_.objects().end() && !held->second.deleted && held->second.revision >= event.revision()) return;
  v1::ProvisionerMessage message;
  *message.mutable_drift()->add_objects() = event.object();
  Say(std::move(message));
}

void FakeProvisioner::Sweep(const v1::SyncEnd& end) {
  uint64_t hash = 0;
  for (const ObjectId& object : seen_) hash += ObjectHash(object);
  v1::ProvisionerMessage done;
  done.mutable_sync_done()->set_sync_id(end.sync_id());
  done.mutable_sync_done()->set_swept(end.sync_id() == sync_id_ && end.object_count() == seen_.size() && end.object_hash() == hash);
  Say(done);
  if (!done.sync_done().swept()) return;
  for (auto& [object, held] : region_.objects()) {
    if (!seen_.contains(object) && held.revision <= end.as_of_revision()) {
      held = {.uid = held.uid, .revision = end.as_of_revision(), .deleted = true};
    }
  }
}

void FakeProvisioner::AnswerInventory(const v1::InventoryRequest& request) {
  v1::ProvisionerMessage message;
  v1::Inventory& inventory = *message.mutable_inventory();
  const std::set<int> buckets(request.buckets().begin(), request.buckets().end());
  std::vector<uint64_t> hashes(kInventoryBuckets);
  for (const auto& [object, held] : region_.objects()) {
    if (held.deleted) continue;
    hashes[InventoryBucket(object)] += ObjectRevisionHash(object, held.revision);
    if (!buckets.contains(InventoryBucket(object))) continue;
    v1::InventoryEntry& entry = *inventory.add_entries();
    *entry.mutable_object() = WireOf(object);
    entry.set_revision(held.revision);
  }
  if (buckets.empty()) inventory.mutable_bucket_hashes()->Assign(hashes.begin(), hashes.end());
  inventory.mutable_buckets()->Assign(buckets.begin(), buckets.end());
  Say(std::move(message));
}

}  // namespace keyferry

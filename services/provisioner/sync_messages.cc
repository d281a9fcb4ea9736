#include "services/provisioner/sync_messages.h"

#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/model/object_hash.h"
#include "services/provisioner/object_opener.h"

namespace keyferry {
namespace {

constexpr uint32_t kProtocolVersion = 1;
constexpr size_t kUidBytes = 16;
constexpr int kInventoryEntriesPerMessage = 4096;

bool IsLive(const RegionObject& object) { return object.version.operation == Operation::kApply; }

absl::StatusOr<std::vector<v1::ProvisionerMessage>> BucketHashesOf(const RegionStore& store) {
  std::vector<uint64_t> hashes(kInventoryBuckets);
  RETURN_IF_ERROR(store.ForEach(std::nullopt, [&](const RegionObject& object) {
    if (IsLive(object)) hashes[InventoryBucket(object.id)] += ObjectRevisionHash(object.id, object.version.revision);
    return true;
  }));
  std::vector<v1::ProvisionerMessage> messages(1);
  messages[0].mutable_inventory()->mutable_bucket_hashes()->Assign(hashes.begin(), hashes.end());
  return messages;
}

}  // namespace

void ToWire(const ObjectId& id, v1::ObjectId* wire) {
  wire->set_kind(static_cast<v1::ObjectKind>(id.kind));
  wire->set_organization(id.organization);
  wire->set_name(id.name);
}

absl::Duration FromWire(const google::protobuf::Duration& wire) { return absl::Seconds(wire.seconds()) + absl::Nanoseconds(wire.nanos()); }

v1::ProvisionerMessage HelloOf(const RegionMeta& meta, const HelloSender& sender) {
  v1::ProvisionerMessage message;
  v1::Hello* hello = message.mutable_hello();
  hello->set_protocol_version(kProtocolVersion);
  hello->set_region(sender.region);
  hello->set_provisioner_id(sender.provisioner_id);
  hello->set_boot_id(sender.boot_id);
  hello->set_target_incarnation(meta.target_incarnation);
  hello->set_max_revision_seen(meta.max_revision_seen);
  hello->set_max_inflight_objects(kMaxInflightObjects);
  hello->set_max_inflight_bytes(kMaxInflightBytes);
  hello->set_sealing_key_id(sender.sealing_key_id);
  hello->set_version(sender.version);
  return message;
}

std::vector<v1::ApiMessage> TakeGroup(std::deque<v1::ApiMessage>& backlog) {
  constexpr int kMaxEventsPerGroup = kMaxInflightObjects / 2;
  std::vector<v1::ApiMessage> group;
  for (int events = 0; !backlog.empty() && events < kMaxEventsPerGroup; backlog.pop_front()) {
    events += backlog.front().events().events_size();
    group.push_back(std::move(backlog.front()));
  }
  return group;
}

void AddProgress(const v1::ApiMessage& message, v1::ProvisionerMessage& progress) {
  for (const v1::Event& event : message.events().events()) {
    if (event.operation() != v1::OPERATION_RETAIN) *progress.mutable_progress()->add_objects() = event.object();
  }
}

std::optional<RegionObject> FromWire(const v1::Event& event) {
  const auto kind = static_cast<ObjectKind>(event.object().kind());
  if (event.object().kind() != v1::OBJECT_KIND_SECRET_SET && event.object().kind() != v1::OBJECT_KIND_DEPLOYMENT)
    return std::nullopt;
  if (event.operation() < v1::OPERATION_APPLY || event.operation() > v1::OPERATION_RETAIN) return std::nullopt;
  if (event.uid().size() != kUidBytes) return std::nullopt;
  // A NUL would end the organization within the key of the region's row.
  if (event.object().organization().find('\0') != std::string::npos) return std::nullopt;
  const bool apply = event.operation() == v1::OPERATION_APPLY;
  return RegionObject{
      .id = {.kind = kind, .organization = event.object().organization(), .name = event.object().name()},
      .uid = absl::BytesToHexString(event.uid()),
      .version = {.revision = event.revision(),
                  .operation = static_cast<Operation>(event.operation()),
                  .digest = event.digest()},
      .sealed_object = apply ? event.payload() : ""};
}

v1::Ack AckOf(const Settlement& settlement, const v1::Event& event, const std::string& target_incarnation) {
  v1::Ack ack;
  ToWire(settlement.id, ack.mutable_object());
  ack.set_uid(absl::HexStringToBytes(settlement.uid));
  ack.set_revision(settlement.revision);
  ack.set_epoch(event.epoch());
  ack.set_target_incarnation(target_incarnation);
  ack.set_result(static_cast<v1::AckResult>(settlement.result));
  ack.set_digest(settlement.digest);
  ack.set_error_reason(settlement.error_reason);
  ack.set_error_message(settlement.error_message);
  ack.set_permanent(settlement.permanent);
  return ack;
}

v1::Ack AckOfMalformed(const v1::Event& event, const std::string& target_incarnation) {
  v1::Ack ack;
  *ack.mutable_object() = event.object();
  ack.set_uid(event.uid());
  ack.set_revision(event.revision());
  ack.set_epoch(event.epoch());
  ack.set_target_incarnation(target_incarnation);
  ack.set_result(v1::ACK_RESULT_FAILED);
  ack.set_error_reason(kReasonBadPayload);
  ack.set_error_message("this provisioner does not know such an event");
  ack.set_permanent(true);
  return ack;
}

absl::StatusOr<std::vector<v1::ProvisionerMessage>> AnswerInventory(const RegionStore& store,
                                                                    const std::vector<uint32_t>& buckets) {
  if (buckets.empty()) return BucketHashesOf(store);
  const std::set<int> wanted(buckets.begin(), buckets.end());
  std::vector<v1::ProvisionerMessage> messages(1);
  RETURN_IF_ERROR(store.ForEach(std::nullopt, [&](const RegionObject& object) {
    if (!IsLive(object) || !wanted.contains(InventoryBucket(object.id))) return true;
    if (messages.back().inventory().entries_size() == kInventoryEntriesPerMessage) {
      messages.back().mutable_inventory()->set_more(true);
      messages.emplace_back();
    }
    v1::InventoryEntry* entry = messages.back().mutable_inventory()->add_entries();
    ToWire(object.id, entry->mutable_object());
    entry->set_revision(object.version.revision);
    return true;
  }));
  for (v1::ProvisionerMessage& message : messages) {
    message.mutable_inventory()->mutable_buckets()->Assign(buckets.begin(), buckets.end());
  }
  return messages;
}

}  // namespace keyferry

// Wire messages of the provisioning stream to and from what the reconciler works with.
//
// Thread safety: pure functions.
#ifndef KEYFERRY_SERVICES_PROVISIONER_SYNC_MESSAGES_H_
#define KEYFERRY_SERVICES_PROVISIONER_SYNC_MESSAGES_H_

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "libs/model/placement.h"
#include "services/provisioner/reconciler.h"
#include "services/provisioner/region_store.h"

namespace google::protobuf {
class Duration;
}

namespace keyferry {

namespace v1 {
class Ack;
class ApiMessage;
class Event;
class ObjectId;
class ProvisionerMessage;
}  // namespace v1

void ToWire(const ObjectId& id, v1::ObjectId* wire);
absl::Duration FromWire(const google::protobuf::Duration& wire);

// Who says Hello; 16 bytes of boot id and of sealing key id.
struct HelloSender {
  const std::string& region;
  const std::string& provisioner_id;
  const std::string& version;
  const std::string& boot_id;
  const std::string& sealing_key_id;
};
v1::ProvisionerMessage HelloOf(const RegionMeta& meta, const HelloSender& sender);
// What is worked on next: half of what may be in flight, so that the API refills one half while the other is worked on. Ends with the message that
// reaches it; empty only when the backlog is.
std::vector<v1::ApiMessage> TakeGroup(std::deque<v1::ApiMessage>& backlog);
// Adds the objects that the message asks for to a Progress.
void AddProgress(const v1::ApiMessage& message, v1::ProvisionerMessage& progress);
// An event's object as it shall be stored; nothing but its shape is checked. nullopt: unknown kind or operation, or no
// 16 bytes of uid.
std::optional<RegionObject> FromWire(const v1::Event& event);
// `event` is the one that was settled.
v1::Ack AckOf(const Settlement& settlement, const v1::Event& event, const std::string& target_incarnation);
// FAILED BAD_PAYLOAD, permanent, for an event that FromWire refuses.
v1::Ack AckOfMalformed(const v1::Event& event, const std::string& target_incarnation);

// Answers to an InventoryRequest, in order; Unavailable or DataLoss from the store.
absl::StatusOr<std::vector<v1::ProvisionerMessage>> AnswerInventory(const RegionStore& store,
                                                                    const std::vector<uint32_t>& buckets);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_SYNC_MESSAGES_H_

#include "services/provisioner/event_worker.h"

#include <optional>
#include <utility>

#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/model/object_hash.h"
#include "services/provisioner/provisioner_metrics.h"
#include "services/provisioner/sync_messages.h"

namespace keyferry {
namespace {

// Events of a call of Work that are acked at once, because nothing can be applied.
std::optional<v1::Ack> RefusalOf(const v1::Event& event, const std::optional<RegionObject>& object,
                                 const std::string& target_incarnation) {
  if (!object) return AckOfMalformed(event, target_incarnation);
  if (event.target_incarnation() == target_incarnation) return std::nullopt;
  const Settlement wrong_target{.id = object->id,
                                .uid = object->uid,
                                .revision = object->version.revision,
                                .result = AckResult::kFailed,
                                .error_reason = "WRONG_TARGET",
                                .error_message = "the event is meant for another incarnation of the region's store"};
  return AckOf(wrong_target, event, target_incarnation);
}

// The request id is the API's word, of the call that wrote this. A full resync tells of everything once more.
void LogSettlement(const Settlement& settlement, const v1::Event& event) {
  const std::string& request_id = event.request_id();
  if (settlement.result != AckResult::kFailed) {
    return Log(event.sync_id().empty() ? Severity::kInfo : Severity::kDebug, "applied",
               {{"organization", settlement.id.organization},
                {"object", settlement.id.name},
                {"revision", settlement.revision},
                {"request_id", request_id}});
  }
  Log(Severity::kWarning, "object_failed",
      {{"organization", settlement.id.organization},
       {"object", settlement.id.name},
       {"revision", settlement.revision},
       {"reason", settlement.error_reason},
       {"message", settlement.error_message},
       {"request_id", request_id}});
}

}  // namespace

std::vector<v1::ProvisionerMessage> EventWorker::Work(const std::vector<v1::ApiMessage>& messages) {
  std::vector<v1::ProvisionerMessage> answers;
  std::vector<const v1::Event*> events;
  for (const v1::ApiMessage& message : messages) {
    if (message.has_events()) {
      for (const v1::Event& event : message.events().events()) events.push_back(&event);
      continue;
    }
    WorkOnEvents(std::exchange(events, {}), answers);
    WorkOnMessage(message, answers);
  }
  WorkOnEvents(events, answers);
  return answers;
}

void EventWorker::WorkOnEvents(const std::vector<const v1::Event*>& events,
                               std::vector<v1::ProvisionerMessage>& answers) {
  std::vector<RegionObject> objects;
  std::vector<const v1::Event*> applied;
  v1::ProvisionerMessage acks;
  v1::ProvisionerMessage drift;
  for (const v1::Event* event : events) {
    std::optional<RegionObject> object = FromWire(*event);
    if (object) resync_.Saw(event->sync_id(), object->id);
    if (event->operation() == v1::OPERATION_RETAIN) {
      if (object && !reconciler_.Holds(object->id, object->version))
        *drift.mutable_drift()->add_objects() = event->object();
    } else if (std::optional<v1::Ack> refusal = RefusalOf(*event, object, target_incarnation_)) {
      *acks.mutable_acks()->add_acks() = *std::move(refusal);
    } else {
      objects.push_back(*std::move(object));
      applied.push_back(event);
    }
  }
  const absl::Time begin = absl::Now();
  const std::vector<Settlement> settlements = reconciler_.Apply(std::move(objects));
  int64_t failed_count = 0;
  for (size_t i = 0; i < settlements.size(); ++i) {
    LogSettlement(settlements[i], *applied[i]);
    if (settlements[i].result == AckResult::kFailed) ++failed_count;
    *acks.mutable_acks()->add_acks() = AckOf(settlements[i], *applied[i], target_incarnation_);
  }
  if (!settlements.empty()) CountApplied(static_cast<int64_t>(settlements.size()) - failed_count, failed_count, absl::Now() - begin);
  FAILPOINT("region.acks.before_send");
  if (acks.has_acks()) answers.push_back(std::move(acks));
  if (drift.has_drift()) answers.push_back(std::move(drift));
}

void EventWorker::WorkOnMessage(const v1::ApiMessage& message, std::vector<v1::ProvisionerMessage>& answers) {
  if (message.has_sync_begin()) {
    resync_.Begin(message.sync_begin().sync_id(), message.sync_begin().as_of_revision());
  } else if (message.has_sync_end()) {
    v1::ProvisionerMessage done;
    done.mutable_sync_done()->set_sync_id(message.sync_end().sync_id());
    done.mutable_sync_done()->set_swept(EndResync(message.sync_end()));
    answers.push_back(std::move(done));
  } else if (message.has_bookmark()) {
    const absl::Status status = store_.RaiseFloor(message.bookmark().settled_floor());
    if (!status.ok()) Log(Severity::kError, "floor_not_raised", {{"error", status}});
  } else if (message.has_inventory_request()) {
    const auto& buckets = message.inventory_request().buckets();
    auto inventory = AnswerInventory(store_, {buckets.begin(), buckets.end()});
    if (!inventory.ok()) return Log(Severity::kError, "inventory_failed", {{"error", inventory.status()}});
    for (v1::ProvisionerMessage& part : *inventory) answers.push_back(std::move(part));
  }
}

bool EventWorker::EndResync(const v1::SyncEnd& end) {
  const absl::Status complete = resync_.Finish({.sync_id = end.sync_id(),
                                                .as_of_revision = end.as_of_revision(),
                                                .object_count = end.object_count(),
                                                .object_hash = end.object_hash()});
  if (!complete.ok()) {
    Log(Severity::kError, "resync_not_swept", {{"error", complete}});
    return false;
  }
  const auto swept = reconciler_.Sweep([this](const ObjectId& id) { return resync_.HasSeen(id); }, end.as_of_revision(),
                                       end.allow_mass_delete());
  if (!swept.ok()) {
    const bool needs_operator = absl::IsFailedPrecondition(swept.status());
    Log(needs_operator ? Severity::kWarning : Severity::kError,
        needs_operator ? "sweep_needs_operator" : "resync_not_swept", {{"error", swept.status()}});
    return false;
  }
  FAILPOINT("region.resync.before_done");
  Log(Severity::kInfo, "resync_complete", {{"objects", end.object_count()}, {"swept", *swept}});
  return true;
}

}  // namespace keyferry

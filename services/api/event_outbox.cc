#include "services/api/event_outbox.h"

#include <algorithm>

#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/failpoint.h"
#include "libs/common/limits.h"
#include "services/api/provisioning_messages.h"
#include "services/api/region_metrics.h"

namespace keyferry {

EventOutbox::EventOutbox(const FeedSettings& settings) : settings_(settings), batch_(std::make_unique<v1::EventBatch>()) {}
EventOutbox::~EventOutbox() = default;

void EventOutbox::Append(const ObjectId& object, const DesiredState& desired, Operation operation, std::string payload,
                         const std::string& sync_id) {
  const size_t bytes = payload.size() + kEventOverheadBytes;
  if (batch_bytes_ + bytes > kMaxEventBatchBytes) Flush();
  v1::Event& event = *batch_->add_events();
  ToWire(object, desired, operation, &event);
  event.set_epoch(settings_.epoch);
  event.set_target_incarnation(settings_.target_incarnation);
  event.set_payload(std::move(payload));
  event.set_sync_id(sync_id);
  batch_bytes_ += bytes;
  if (batch_->events_size() == kMaxEventsPerBatch) Flush();
}

void EventOutbox::Flush() {
  if (batch_->events_size() == 0) return;
  const int64_t resync_count = std::count_if(batch_->events().begin(), batch_->events().end(), [](const v1::Event& event) { return !event.sync_id().empty(); });
  CountSent(settings_.region, batch_->events_size() - resync_count, resync_count);
  v1::ApiMessage message;
  message.mutable_events()->Swap(batch_.get());
  batch_bytes_ = 0;
  ++outstanding_count_;
  FAILPOINT("events.before_send");
  settings_.send(message);
}

void EventOutbox::Send(const v1::ApiMessage& message) {
  Flush();
  ++outstanding_count_;
  settings_.send(message);
}

void EventOutbox::Sent() {
  if (outstanding_count_ > 0) --outstanding_count_;
}

}  // namespace keyferry

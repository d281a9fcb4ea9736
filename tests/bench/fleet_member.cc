#include "tests/bench/fleet_member.h"

#include <grpcpp/channel.h>

#include <utility>

namespace keyferry {
namespace {

v1::Ack AckOf(const v1::Event& event, FleetManner manner) {
  v1::Ack ack;
  *ack.mutable_object() = event.object();
  ack.set_uid(event.uid());
  ack.set_revision(event.revision());
  ack.set_epoch(event.epoch());
  ack.set_target_incarnation(event.target_incarnation());
  if (manner == FleetManner::kFailed) {
    ack.set_result(v1::ACK_RESULT_FAILED);
    ack.set_error_reason("FLEET_REFUSES");
    ack.set_error_message("this fleet fails everything");
    return ack;
  }
  ack.set_result(v1::ACK_RESULT_READY);
  ack.set_digest(event.digest());
  return ack;
}

}  // namespace

FleetMember::FleetMember(FleetTally& tally, v1::Hello hello) : tally_(tally), hello_(std::move(hello)) {}

void FleetMember::Start(std::shared_ptr<grpc::Channel> channel) {
  auto on_done = [self = shared_from_this()](std::shared_ptr<SyncStream> stream, const absl::Status& status) {
    self->Ended(std::move(stream), status);
  };
  stream_ = SyncStream::Start(std::move(channel), {.on_readable = [self = shared_from_this()] { self->Hear(); },
                                                   .on_done = std::move(on_done)});
  v1::ProvisionerMessage message;
  *message.mutable_hello() = hello_;
  stream_->Send(std::move(message));
}

void FleetMember::Beat() {
  v1::ProvisionerMessage message;
  message.mutable_heartbeat();
  stream_->Send(std::move(message));
}

void FleetMember::Cancel() {
  if (!has_ended_) stream_->Cancel();
}

void FleetMember::Drop() {
  std::lock_guard lock(mutex_);
  stream_.reset();
  ended_stream_.reset();
}

absl::Status FleetMember::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

// Whoever is woken asks for status().
void FleetMember::Hear() {
  const bool was_owner = is_owner_, was_synced = is_synced_;
  HearAll();
  if (was_owner != is_owner_ || was_synced != is_synced_) tally_.Wake();
}

void FleetMember::HearAll() {
  std::lock_guard lock(mutex_);
  for (const v1::ApiMessage& message : stream_->Take()) {
    if (message.has_grant()) {
      if (!is_owner_.exchange(true)) ++tally_.connected;
    } else if (message.has_events()) {
      Acknowledge(message.events());
    } else if (message.has_sync_end()) {
      v1::ProvisionerMessage done;
      done.mutable_sync_done()->set_sync_id(message.sync_end().sync_id());
      done.mutable_sync_done()->set_swept(true);
      stream_->Send(std::move(done));
      ++tally_.resyncs;
    } else if (message.has_bookmark() && is_owner_ && message.bookmark().pending_count() == 0) {
      if (!is_synced_.exchange(true)) ++tally_.synced;
    }
  }
}

void FleetMember::Acknowledge(const v1::EventBatch& batch) {
  const FleetManner manner = tally_.manner;
  v1::ProvisionerMessage answer;
  for (const v1::Event& event : batch.events()) {
    tally_.payload_bytes += static_cast<int64_t>(event.payload().size());
    if (event.operation() != v1::OPERATION_RETAIN && manner != FleetManner::kNever)
      *answer.mutable_acks()->add_acks() = AckOf(event, manner);
  }
  ++tally_.batches;
  tally_.events += batch.events_size();
  if (answer.has_acks()) stream_->Send(std::move(answer));
}

void FleetMember::Ended(std::shared_ptr<SyncStream> stream, const absl::Status& status) {
  FleetTally& tally = tally_;
  {
    std::lock_guard lock(mutex_);
    ended_stream_ = std::move(stream);
    status_ = status;
    if (is_owner_.exchange(false)) --tally.connected;
    if (is_synced_.exchange(false)) --tally.synced;
  }
  ++tally.ended;
  has_ended_ = true;
  tally.Wake();
}

}  // namespace keyferry

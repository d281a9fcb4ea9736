#include "services/api/region_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/log.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/sealed_box.h"
#include "libs/storage/keys.h"
#include "services/api/provisioning_messages.h"
#include "services/api/region_ownership.h"

namespace keyferry {
namespace {

constexpr absl::Duration kReconnectAfterRewind = absl::Seconds(5);
constexpr absl::Duration kTick = absl::Seconds(1);
constexpr size_t kSessionIdBytes = 16;
constexpr char kCannotOpen[] = "CANNOT_OPEN";

absl::Status Refusal(absl::StatusCode code, std::string_view reason, std::string_view message) {
  return MakeError(code, message, {.reason = std::string(reason)});
}

// The present one, or one that something is sealed to still.
bool KnowsSealingKey(const RegionRow& region, const std::string& id) {
  const auto is = [&id](const std::string& key) { return SealingKeyId(key) == id; };
  return is(region.sealing_key) || std::any_of(region.previous_sealing_keys.begin(), region.previous_sealing_keys.end(), is);
}

void Set(google::protobuf::Duration* wire, absl::Duration duration) {
  wire->set_seconds(absl::ToInt64Seconds(duration));
  wire->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration % absl::Seconds(1))));
}

}  // namespace

RegionSession::RegionSession(std::shared_ptr<RegionOwnership> ownership, Caller caller, std::shared_ptr<SyncTransport> transport)
    : ownership_(std::move(ownership)),
      caller_(std::move(caller)),
      transport_(std::move(transport)),
      connect_time_(ownership_->settings().clock.Now()),
      certificate_expiry_(caller_.certificate_expiry),
      last_heard_(ownership_->settings().clock.Monotonic()),
      last_tick_(last_heard_),
      last_bookmark_(last_heard_) {}

void RegionSession::Start() {
  ownership_->strand().Run([self = shared_from_this()] { self->ownership_->Arrived(self); });
  TickLater();
}

void RegionSession::TickLater() {
  ownership_->strand().RunAfter(kTick, [weak = weak_from_this()] {
    const std::shared_ptr<RegionSession> self = weak.lock();
    if (!self || self->closed_) return;
    self->Tick();
    if (!self->closed_) self->TickLater();
  });
}

void RegionSession::Received(std::shared_ptr<const v1::ProvisionerMessage> message, std::function<void()> handled) {
  ownership_->strand().Run([self = shared_from_this(), message = std::move(message), handled = std::move(handled)] {
    if (!self->closed_) self->Handle(*message);
    handled();
  });
}

void RegionSession::Sent() {
  ownership_->strand().Run([self = shared_from_this()] {
    if (self->feed_ && !self->closed_) self->feed_->Sent();
  });
}

void RegionSession::Disconnected() {
  ownership_->strand().Run([self = shared_from_this()] { self->End(absl::OkStatus(), Ending::kDied); });
}

// gRPC tells the end of what the client says and its death in no certain order; and acks that were heard want to be settled.
void RegionSession::HalfClosed() {
  ownership_->strand().Run([self = shared_from_this()] {
    if (self->feed_) self->feed_->Drain();
    self->ownership_->strand().RunAfter(kHalfCloseGrace, [self] { self->End(absl::OkStatus(), Ending::kOrderly); });
  });
}

void RegionSession::Tick() {
  const absl::Duration now = ownership_->settings().clock.Monotonic();
  if (CheckRevoked(); closed_) return;
  if (ownership_->settings().clock.Now() >= certificate_expiry_) {
    return End(Refusal(absl::StatusCode::kUnauthenticated, "CERTIFICATE_EXPIRED",
                       "the provisioner's certificate has expired; renew it and connect again"),
               Ending::kOrderly);
  }
  if (now - std::exchange(last_tick_, now) > kTick + kMaxTickDelay) last_heard_ = now;
  const absl::Duration silence = now - last_heard_;
  if (!greeted_ && silence >= kHelloTimeout) {
    return End(Refusal(absl::StatusCode::kUnavailable, "NO_HELLO", "no Hello within 10 s"), Ending::kOrderly);
  }
  if (silence >= kLeaseDuration) {
    return End(Refusal(absl::StatusCode::kUnavailable, "LEASE_EXPIRED", "nothing was heard for 15 s; connect again"), Ending::kDied);
  }
  if (feed_) return feed_->Tick(), EndIfDrained();
  if (greeted_ && now - last_bookmark_ >= kBookmarkInterval) SendStandbyBookmark();
}

void RegionSession::Handle(const v1::ProvisionerMessage& message) {
  last_heard_ = ownership_->settings().clock.Monotonic();
  if (message.has_hello() == greeted_) {
    return End(Refusal(absl::StatusCode::kInvalidArgument, "INVALID_HELLO", "Hello must be the first message, and only that"),
               Ending::kOrderly);
  }
  if (!greeted_) return HandleHello(message.hello());
  if (feed_) HandleAsOwner(message);
}

void RegionSession::HandleAsOwner(const v1::ProvisionerMessage& message) {
  std::vector<ObjectId> objects;
  const auto add_known = [&objects](const auto& wire_objects) {
    for (const v1::ObjectId& wire : wire_objects) {
      if (std::optional<ObjectId> object = FromWire(wire)) objects.push_back(*std::move(object));
    }
  };
  switch (message.message_case()) {
    case v1::ProvisionerMessage::kAcks:
      return HandleAcks(message.acks());
    case v1::ProvisionerMessage::kProgress:
      add_known(message.progress().objects());
      for (const ObjectId& object : objects) feed_->Working(object);
      return;
    case v1::ProvisionerMessage::kInventory:
      return feed_->Listed(message.inventory());
    case v1::ProvisionerMessage::kSyncDone:
      return feed_->Synced(message.sync_done());
    case v1::ProvisionerMessage::kDrift:
      add_known(message.drift().objects());
      return feed_->Drifted(std::move(objects));
    default:
      return;
  }
}

// What an owner with a key before the present one cannot open, one with the present key may: it is not lost for good, and
// such a one follows where there is one.
void RegionSession::HandleAcks(const v1::AckBatch& acks) {
  const auto cannot_open = [](const v1::Ack& ack) { return ack.error_reason() == kCannotOpen; };
  if (std::none_of(acks.acks().begin(), acks.acks().end(), cannot_open)) return feed_->Acked(acks);
  const absl::StatusOr<std::string> present = ownership_->SealingKeyIdNow();
  if (!present.ok() || *present == sealing_key_id_) return feed_->Acked(acks);
  v1::AckBatch heard = acks;
  for (v1::Ack& ack : *heard.mutable_acks()) {
    if (cannot_open(ack)) ack.set_permanent(false);
  }
  feed_->Acked(heard);
  if (!ownership_->HasStandbyUnder(*present)) return;
  Log(Severity::kWarning, "owner_has_an_older_key", {{"region", caller_.region}, {"provisioner", caller_.provisioner_id}});
  Drain("DRAINING", kReconnectAfterRewind);
}

void RegionSession::HandleHello(const v1::Hello& hello) {
  if (const absl::Status admitted = Admit(hello); !admitted.ok()) {
    Log(Severity::kWarning, "hello_refused", {{"region", caller_.region}, {"provisioner", caller_.provisioner_id}, {"error", admitted}});
    return End(admitted, Ending::kOrderly);
  }
  greeted_ = true;
  boot_id_ = hello.boot_id();
  sealing_key_id_ = hello.sealing_key_id();
  target_incarnation_ = hello.target_incarnation();
  version_ = hello.version();
  max_objects_ = std::min<size_t>(hello.max_inflight_objects(), kMaxInflightObjects);
  max_bytes_ = std::min<size_t>(hello.max_inflight_bytes(), kMaxInflightBytes);
  if (hello.max_revision_seen() > ownership_->Ceiling()) return Rewound(hello.max_revision_seen());
  v1::ApiMessage message;
  v1::Welcome& welcome = *message.mutable_welcome();
  welcome.set_session_id(RandomBytes(kSessionIdBytes));
  welcome.set_head_revision(ownership_->Head());
  Set(welcome.mutable_heartbeat_interval(), kHeartbeatInterval);
  Set(welcome.mutable_lease_duration(), kLeaseDuration);
  transport_->Send(message);
  ownership_->Join(shared_from_this());
}

// Whether the store takes a new lineage or not: this session is at an end.
void RegionSession::Rewound(uint64_t revision) {
  ownership_->Rewound(revision);
  Drain("REWIND", kReconnectAfterRewind);
}

absl::Status RegionSession::Admit(const v1::Hello& hello) const {
  RETURN_IF_ERROR(CheckHello(hello));
  if (hello.region() != caller_.region || hello.provisioner_id() != caller_.provisioner_id) {
    return Refusal(absl::StatusCode::kPermissionDenied, "REGION_MISMATCH",
                   absl::StrCat("Hello says region '", hello.region(), "' and provisioner '", hello.provisioner_id(),
                                "', but the certificate is for '", caller_.region, "' and '", caller_.provisioner_id, "'"));
  }
  ASSIGN_OR_RETURN(const std::optional<Row> row, ownership_->settings().writer.store.Get(keys::Region(caller_.region)));
  if (!row) return NotFound("REGION_NOT_FOUND", "no such region; an operator creates it first", caller_.region);
  ASSIGN_OR_RETURN(const RegionRow region, Decode<RegionRow>(row->value));
  if (region.sealing_key.empty()) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "REGION_NOT_ENROLLED",
                   "the region has no sealing key yet; its first provisioner brings it when it enrolls, with a token of an operator's");
  }
  if (!KnowsSealingKey(region, hello.sealing_key_id())) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "UNKNOWN_SEALING_KEY",
                   "values for this region are sealed to another key than this provisioner's; give it the region's key file");
  }
  if (LineageOf(hello.max_revision_seen()) > LineageOf(ownership_->Head()) + kMaxLineagesAhead) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "REVISION_OUT_OF_RANGE",
                   "max_revision_seen is of no lineage that this store can have had");
  }
  return absl::OkStatus();
}

void RegionSession::Granted(uint64_t epoch, const RegionStateRow& state, Revision state_revision) {
  v1::ApiMessage message;
  message.mutable_grant()->set_epoch(epoch);
  transport_->Send(message);
  FeedSettings settings{.writer = ownership_->settings().writer,
                        .clock = ownership_->settings().clock,
                        .prompt = ownership_->settings().prompt,
                        .strand = ownership_->shared_strand(),
                        .memory = ownership_->memory(),
                        .region = caller_.region,
                        .principal = caller_.principal,
                        .target_incarnation = target_incarnation_,
                        .epoch = epoch,
                        .max_objects = max_objects_,
                        .max_bytes = max_bytes_,
                        .random = ownership_->settings().random};
  const std::weak_ptr<RegionSession> weak = weak_from_this();
  settings.send = [transport = transport_](const v1::ApiMessage& event) { transport->Send(event); };
  settings.fail = [weak](absl::Status status, Ending ending) {
    if (const auto self = weak.lock()) self->End(std::move(status), ending);
  };
  settings.rewound = [weak](uint64_t revision) {
    if (const auto self = weak.lock()) self->Rewound(revision);
  };
  feed_ = std::make_shared<EventFeed>(std::move(settings));
  if (draining_) feed_->Drain();
  feed_->Start(state, state_revision);
}

void RegionSession::StandBy(const std::string& owner_id) {
  v1::ApiMessage message;
  message.mutable_standby()->set_owner_id(owner_id);
  transport_->Send(message);
}

void RegionSession::SendStandbyBookmark() {
  last_bookmark_ = ownership_->settings().clock.Monotonic();
  v1::ApiMessage message;
  message.mutable_bookmark()->mutable_time()->set_seconds(absl::ToUnixSeconds(ownership_->settings().clock.Now()));
  transport_->Send(message);
}

void RegionSession::Supersede(const std::string& boot_id) {
  v1::ApiMessage message;
  message.mutable_drain()->set_reason("SUPERSEDED");
  transport_->Send(message);
  // The same process on a new stream has survived what was in flight.
  End(absl::OkStatus(), boot_id == boot_id_ ? Ending::kOrderly : Ending::kDied);
}

void RegionSession::Drain(const std::string& reason, absl::Duration reconnect_after) {
  if (closed_ || draining_) return;
  draining_ = true;
  v1::ApiMessage message;
  message.mutable_drain()->set_reason(reason);
  Set(message.mutable_drain()->mutable_reconnect_after(), reconnect_after);
  transport_->Send(message);
  if (feed_) feed_->Drain();
  EndIfDrained();
  ownership_->strand().RunAfter(kDrainTimeout, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->End(absl::OkStatus(), Ending::kOrderly);
  });
}

void RegionSession::Refuse(absl::Status status) { End(std::move(status), Ending::kOrderly); }

void RegionSession::CheckRevoked() {
  const auto& is_revoked = ownership_->settings().is_revoked;
  if (!is_revoked || !is_revoked(caller_.principal)) return;
  Log(Severity::kWarning, "provisioner_revoked", {{"region", caller_.region}, {"provisioner", caller_.provisioner_id}});
  End(Refusal(absl::StatusCode::kPermissionDenied, "PROVISIONER_REVOKED", "this provisioner's identity is revoked for good; enroll another one"),
      Ending::kOrderly);
}

void RegionSession::ExtendCertificate(absl::Time expiry) { certificate_expiry_ = std::max(certificate_expiry_, expiry); }

void RegionSession::EndIfDrained() {
  if (draining_ && (!feed_ || feed_->window().empty())) End(absl::OkStatus(), Ending::kOrderly);
}

void RegionSession::End(absl::Status status, Ending ending) {
  if (closed_) return;
  closed_ = true;
  const std::shared_ptr<RegionSession> self = shared_from_this();
  std::map<ObjectId, EventWindow::Flight> suspects;
  if (feed_) {
    if (ending == Ending::kDied && !draining_) suspects = feed_->window().Suspects();
    feed_->Stop();
  }
  transport_->Finish(std::move(status));
  ownership_->Left(self, std::move(suspects));
}

SessionSummary RegionSession::Summary() const {
  return {.provisioner_id = caller_.provisioner_id,
          .version = version_,
          .active = feed_ != nullptr,
          .connect_time = connect_time_,
          .certificate_expiry = certificate_expiry_};
}

}  // namespace keyferry

#include "tests/simulation/sim_stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/model/object_hash.h"
#include "services/api/provisioning_messages.h"
#include "services/api/region_session.h"

namespace keyferry {
namespace {

// As services/provisioner/sync_stream.cc has it.
constexpr size_t kMaxReceived = 16;
constexpr absl::Duration kMinLatency = absl::Microseconds(200);
constexpr absl::Duration kMaxLatency = absl::Milliseconds(15);
constexpr absl::Duration kMaxGap = absl::Milliseconds(1);
constexpr absl::Duration kMaxSlowness = absl::Seconds(3);
constexpr double kLateShare = 0.5;

std::string Short(const v1::ObjectId& object) {
  return absl::StrCat(object.kind() == v1::OBJECT_KIND_DEPLOYMENT ? "agent " : "", object.name());
}

std::string TextOf(const v1::Event& event) {
  static constexpr const char* kOperations[] = {"?", "apply", "delete", "retain"};
  return absl::StrCat(kOperations[event.operation() % 4], " ", Short(event.object()), "@", event.revision() >> 48, ".",
                      event.revision() & 0xffffffffffff, event.sync_id().empty() ? "" : " resync");
}

std::string TextOf(const v1::Ack& ack) {
  return absl::StrCat(Short(ack.object()), "@", ack.revision() >> 48, ".", ack.revision() & 0xffffffffffff, " ",
                      ack.result() == v1::ACK_RESULT_READY ? "READY" : ack.error_reason(),
                      ack.permanent() ? " for good" : "");
}

template <typename Message>
std::string NameOf(const Message& message) {
  const auto* field = message.GetDescriptor()->FindFieldByNumber(message.message_case());
  return field == nullptr ? "nothing" : std::string(field->name());
}

std::string TextOf(const v1::ApiMessage& message) {
  std::string text = NameOf(message);
  for (const v1::Event& event : message.events().events()) absl::StrAppend(&text, ", ", TextOf(event));
  if (message.has_bookmark())
    absl::StrAppend(&text, " head ", message.bookmark().head_revision() & 0xffffffffffff, " floor ",
                    message.bookmark().settled_floor() & 0xffffffffffff);
  if (message.has_grant()) absl::StrAppend(&text, " epoch ", message.grant().epoch());
  if (message.has_drain()) absl::StrAppend(&text, " ", message.drain().reason());
  if (message.has_sync_end()) absl::StrAppend(&text, " of ", message.sync_end().object_count());
  return text;
}

std::string TextOf(const v1::ProvisionerMessage& message) {
  std::string text = NameOf(message);
  for (const v1::Ack& ack : message.acks().acks()) absl::StrAppend(&text, ", ", TextOf(ack));
  for (const v1::ObjectId& object : message.drift().objects()) absl::StrAppend(&text, " ", Short(object));
  if (message.has_sync_done()) absl::StrAppend(&text, message.sync_done().swept() ? " swept" : " not swept");
  return text;
}

}  // namespace

SimStream::SimStream(SimNetwork& network, Process& client, Link& link, Events events)
    : network_(network), client_(client), link_(link), events_(std::move(events)), number_(++link.stream_count) {}

absl::Duration SimStream::Latency(bool first) {
  Random& random = network_.options_.scheduler.random();
  if (now() < link_.slow_until) {
    ++network_.options_.faults[static_cast<size_t>(Fault::kDelay)];
    return random.Between(kMinLatency, kMaxSlowness);
  }
  return first ? random.Between(kMinLatency, kMaxLatency) : random.Between(absl::ZeroDuration(), kMaxGap);
}

void SimStream::Connect() {
  Scheduler& scheduler = network_.options_.scheduler;
  if (now() < std::max(link_.to_api_blocked_until, link_.from_api_blocked_until)) {
    return TellClient(absl::UnavailableError("no connection"),
                      scheduler.random().Between(absl::Seconds(1), absl::Seconds(20)));
  }
  scheduler.After(Latency(/*first=*/true), nullptr, [self = shared_from_this()] {
    Process* const api = self->network_.options_.api();
    if (api == nullptr || !api->alive())
      return self->TellClient(absl::UnavailableError("connection refused"), kMinLatency);
    self->server_ = api;
    self->network_.options_.scheduler.After(absl::ZeroDuration(), api, [self] { self->Accept(); });
  });
}

void SimStream::Accept() {
  if (cut_) return;
  absl::StatusOr<std::shared_ptr<RegionSession>> session = network_.options_.accept(link_.caller, shared_from_this());
  if (!session.ok()) return Finish(session.status());
  session_ = *std::move(session);
  CarryToApi();
}

void SimStream::Send(v1::ProvisionerMessage message) {
  if (client_done_ || client_told_ || finishing_) return;
  if (IsReset()) return TellClient(absl::UnavailableError("connection reset"), kMinLatency);
  network_.options_.scheduler.trace().Note(absl::StrCat(link_.name, "#", number_), TextOf(message));
  to_api_.emplace_back(std::move(message));
  CarryToApi();
}

// The API's machine has forgotten it.
bool SimStream::IsReset() const { return server_ != nullptr && !server_->alive() && network_.options_.api()->alive(); }

std::vector<v1::ApiMessage> SimStream::Take() {
  std::vector<v1::ApiMessage> taken = std::exchange(received_, {});
  CarryFromApi();
  return taken;
}

void SimStream::FinishSending() {
  if (client_done_ || std::exchange(finishing_, true)) return;
  to_api_.emplace_back(End());
  CarryToApi();
}

// What is on its way may still arrive, much later.
void SimStream::Cancel() {
  TellClient(absl::CancelledError("cancelled"), kMinLatency);
  if (now() < link_.to_api_blocked_until) return;
  const bool late = network_.options_.scheduler.random().Chance(kLateShare);
  TellServer(late ? network_.options_.scheduler.random().Between(absl::Seconds(1), absl::Seconds(12))
                  : Latency(/*first=*/true));
}

void SimStream::Send(const v1::ApiMessage& said) {
  if (finished_ || server_done_) return;
  v1::ApiMessage message = said;
  if (network_.options_.bug == Bug::kSweepWithoutResync && Spoil(message)) {
    return server_->Run([self = shared_from_this()] { self->session_->Sent(); });
  }
  network_.options_.scheduler.trace().Note(absl::StrCat("api>", link_.name, "#", number_), TextOf(message));
  network_.options_.on_said(link_, number_, message);
  const bool last = message.has_events() && std::exchange(link_.cut_in_batch, false);
  from_api_.emplace_back(std::move(message));
  CarryFromApi();
  if (!last) return;
  ++network_.options_.faults[static_cast<size_t>(Fault::kStreamCutInBatch)];
  network_.options_.scheduler.After(network_.options_.scheduler.random().Between(absl::ZeroDuration(), 2 * kMaxLatency),
                                    nullptr, [self = shared_from_this()] { self->Cut(Told::kBoth); });
}

// A planted bug: loses retained objects of a resync, whose end is made to count the rest alone. Answers whether nothing
// is left of the message.
bool SimStream::Spoil(v1::ApiMessage& message) {
  if (message.has_sync_begin()) shown_.clear();
  if (message.has_events()) {
    auto& events = *message.mutable_events()->mutable_events();
    for (int i = events.size() - 1; i >= 0; --i) {
      if (events[i].sync_id().empty()) continue;
      if (events[i].operation() == v1::OPERATION_RETAIN && network_.options_.scheduler.random().Chance(0.3)) {
        events.DeleteSubrange(i, 1);
      } else {
        shown_.insert(*FromWire(events[i].object()));
      }
    }
    return events.empty();
  }
  if (message.has_sync_end()) {
    uint64_t hash = 0;
    for (const ObjectId& object : shown_) hash += ObjectHash(object);
    message.mutable_sync_end()->set_object_count(shown_.size());
    message.mutable_sync_end()->set_object_hash(hash);
  }
  return false;
}

void SimStream::Finish(absl::Status status) {
  if (std::exchange(finished_, true)) return;
  network_.options_.scheduler.trace().Note(absl::StrCat("api>", link_.name, "#", number_),
                                           absl::StrCat("end ", absl::StatusCodeToString(status.code())));
  server_done_ = true;
  from_api_.emplace_back(std::move(status));
  CarryFromApi();
}

void SimStream::CarryToApi() {
  if (carrying_to_api_ || cut_ || !session_ || to_api_.empty()) return;
  carrying_to_api_ = true;
  const absl::Duration wait = std::max(absl::ZeroDuration(), link_.to_api_blocked_until - now());
  network_.options_.scheduler.After(wait + Latency(/*first=*/heard_.empty()), nullptr, [self = shared_from_this()] {
    self->carrying_to_api_ = false;
    if (self->cut_ || self->to_api_.empty()) return;
    if (self->now() < self->link_.to_api_blocked_until) return self->CarryToApi();
    ToApi message = std::move(self->to_api_.front());
    self->to_api_.pop_front();
    self->network_.options_.scheduler.After(absl::ZeroDuration(), self->server_,
                                            [self, message = std::move(message)] { self->Arrive(message); });
    self->CarryToApi();
  });
}

void SimStream::Arrive(ToApi message) {
  if (server_told_) return;
  if (number_ != link_.stream_count) ++network_.options_.faults[static_cast<size_t>(Fault::kLateMessage)];
  if (std::holds_alternative<End>(message)) {
    half_closed_ = true;
  } else {
    heard_.push_back(std::get<v1::ProvisionerMessage>(std::move(message)));
  }
  ReadNext();
}

void SimStream::ReadNext() {
  if (reading_ || finished_) return;
  if (heard_.empty()) {
    if (std::exchange(half_closed_, false)) session_->HalfClosed();
    return;
  }
  reading_ = true;
  auto message = std::make_shared<const v1::ProvisionerMessage>(std::move(heard_.front()));
  heard_.pop_front();
  session_->Received(std::move(message), [self = shared_from_this()] {
    self->server_->Run([self] {
      self->reading_ = false;
      self->ReadNext();
    });
  });
}

void SimStream::CarryFromApi() {
  if (carrying_from_api_ || cut_ || from_api_.empty() || received_.size() >= kMaxReceived) return;
  carrying_from_api_ = true;
  const absl::Duration wait = std::max(absl::ZeroDuration(), link_.from_api_blocked_until - now());
  network_.options_.scheduler.After(wait + Latency(/*first=*/received_.empty()), nullptr, [self = shared_from_this()] {
    self->carrying_from_api_ = false;
    if (self->cut_ || self->from_api_.empty()) return;
    if (self->now() < self->link_.from_api_blocked_until) return self->CarryFromApi();
    FromApi message = std::move(self->from_api_.front());
    self->from_api_.pop_front();
    if (std::holds_alternative<v1::ApiMessage>(message) && self->session_) {
      self->network_.options_.scheduler.After(absl::ZeroDuration(), self->server_, [self] { self->session_->Sent(); });
    }
    self->network_.options_.scheduler.After(absl::ZeroDuration(), &self->client_,
                                            [self, message = std::move(message)] { self->Arrive(message); });
    self->CarryFromApi();
  });
}

void SimStream::Arrive(FromApi message) {
  if (client_done_ || client_told_) return;
  if (std::holds_alternative<absl::Status>(message))
    return TellClient(std::get<absl::Status>(message), absl::ZeroDuration());
  received_.push_back(std::get<v1::ApiMessage>(std::move(message)));
  events_.on_readable();
}

void SimStream::TellClient(absl::Status status, absl::Duration delay) {
  if (client_done_ || std::exchange(client_told_, true)) return;
  network_.options_.scheduler.After(delay, &client_, [self = shared_from_this(), status = std::move(status)] {
    if (std::exchange(self->client_done_, true)) return;
    self->received_.clear();
    const auto on_done = std::exchange(self->events_, {}).on_done;
    on_done(self, status);
  });
}

void SimStream::TellServer(absl::Duration delay) {
  if (server_ == nullptr) return;
  network_.options_.scheduler.After(delay, server_, [self = shared_from_this()] {
    if (self->server_done_ || std::exchange(self->server_told_, true) || !self->session_) return;
    self->server_done_ = true;
    if (self->network_.options_.scheduler.random().Chance(0.5)) self->session_->HalfClosed();
    self->session_->Disconnected();
  });
}

void SimStream::Cut(Told told) {
  network_.options_.scheduler.trace().Note("network", absl::StrCat("cut ", link_.name, "#", number_));
  cut_ = true;
  to_api_.clear();
  from_api_.clear();
  Random& random = network_.options_.scheduler.random();
  if (told != Told::kApiOnly)
    TellClient(absl::UnavailableError("connection reset"), random.Between(absl::ZeroDuration(), 5 * kMaxLatency));
  if (told != Told::kClientOnly) TellServer(random.Between(absl::ZeroDuration(), 5 * kMaxLatency));
}

}  // namespace keyferry

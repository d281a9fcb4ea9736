#include "services/api/event_feed.h"

#include "libs/common/log.h"
#include "services/api/event_preparation.h"

namespace keyferry {
namespace {

constexpr size_t kPageSize = 64;
constexpr int kCandidatesPerTurn = 64;
// So much a region may leave unsettled, failing or on its way, and keep up.
constexpr int64_t kMaxUnsettledPrompt = 64;

}  // namespace

void EventFeed::Pump() {
  for (int turn = 0; turn < kCandidatesPerTurn; ++turn) {
    if (stopped_ || draining_ || outbox_.blocked() || !Step()) {
      outbox_.Flush();
      return MoveStrand();
    }
  }
  outbox_.Flush();
  MoveStrand();
  settings_.strand->Run([self = shared_from_this()] { self->Pump(); });
}

// Answers whether there may be more to do now.
bool EventFeed::Step() {
  if (suspect_in_flight_) return false;
  if (suspects_.WaitedLongEnough(settings_.clock.Monotonic())) return window_.empty() && SendSuspect();
  if (ready_.empty()) Refill();
  if (stopped_) return false;
  if (ready_.empty()) return AdvanceResync() || (!suspects_.empty() && window_.empty() && SendSuspect());
  if (window_.full()) return false;
  const Candidate candidate = ready_.front();
  if (!Offer(candidate)) return false;
  ready_.pop_front();
  return true;
}

void EventFeed::Refill() {
  for (int tried = 0; tried < kSourceCount && ready_.empty() && !stopped_; ++tried) {
    source_ = (source_ + 1) % kSourceCount;
    absl::StatusOr<std::vector<ObjectId>> page = NextPage(static_cast<Source>(source_));
    if (!Check(page.status())) return;
    for (ObjectId& object : *page) ready_.push_back({std::move(object), source_ == kResync});
  }
}

absl::StatusOr<std::vector<ObjectId>> EventFeed::NextPage(Source source) {
  absl::StatusOr<std::vector<ObjectId>> page = std::vector<ObjectId>();
  if (source == kRetries && retries_) {
    page = retries_->Next(kPageSize);
    if (page.ok() && (page->empty() || retries_->at_end())) retries_.reset();
  } else if (source == kPending && pending_dirty_) {
    const uint64_t head = Head();
    page = pending_.Next(kPageSize);
    if (page.ok() && (page->empty() || pending_.at_end())) {
      pending_dirty_ = false;
      scanned_head_ = head;
    }
  } else if (source == kResync && resync_ && !resync_->walked) {
    page = resync_->Next(kPageSize);
    if (page.ok() && (page->empty() || resync_->at_end())) resync_->walked = true;
  }
  return page;
}

// False: no credit for it now, or the feed failed.
bool EventFeed::Offer(const Candidate& candidate) {
  const absl::StatusOr<PlacementRows> rows =
      PeekPlacementRows(settings_.writer.store, settings_.region, candidate.object, Lineage());
  if (!rows.ok()) {
    // One unreadable row must not hold up the region; the next rescan meets it again.
    Log(Severity::kError, "placement_not_read",
        {{"region", settings_.region}, {"organization", candidate.object.organization}, {"object", candidate.object.name}, {"error", rows.status()}});
    if (candidate.resync) resync_->flawed = true;
    return true;
  }
  if (!rows->desired) return true;
  if (const EventWindow::Flight* flight = window_.Find(candidate.object)) {
    if (flight->revision != rows->desired->revision) deferred_.insert(candidate.object);
    Retain(candidate, *rows);
    return true;
  }
  switch (DueOf(*rows, settings_.target_incarnation, settings_.clock.Now())) {
    case Due::kSettled:
      return OfferSettled(candidate, *rows);
    case Due::kLater:
      Retain(candidate, *rows);
      return true;
    case Due::kSuspect:
      suspects_.Add(candidate.object, candidate.resync, settings_.clock.Monotonic());
      Retain(candidate, *rows);
      return true;
    case Due::kNow:
      return Send(candidate, *rows);
  }
  return true;
}

// A delete that failed for good is tried again by a full resync: its object is not to be swept silently.
bool EventFeed::OfferSettled(const Candidate& candidate, const PlacementRows& rows) {
  if (candidate.resync && rows.desired->operation == Operation::kDelete) return Send(candidate, rows);
  Retain(candidate, rows);
  return true;
}

bool EventFeed::Send(const Candidate& candidate, const PlacementRows& rows) {
  absl::StatusOr<std::optional<std::string>> payload = ReadPayload(settings_.writer.store, candidate.object, *rows.desired);
  if (!payload.ok() || !*payload) {
    // Absent: it was replaced since the rows were read and its successor is pending, or it is lost.
    if (!payload.ok()) {
      Log(Severity::kError, "payload_not_read",
          {{"region", settings_.region}, {"organization", candidate.object.organization}, {"object", candidate.object.name}, {"error", payload.status()}});
    }
    if (candidate.resync) resync_->flawed = true;
    Retain(candidate, rows);
    return true;
  }
  const size_t bytes = (*payload)->size() + kEventOverheadBytes;
  if (!window_.Admits(bytes)) return false;
  window_.Add(candidate.object, {.revision = rows.desired->revision,
                                 .bytes = bytes,
                                 .resync = candidate.resync,
                                 .heard = settings_.clock.Monotonic()});
  settings_.memory->counters.events++;
  Append(candidate, *rows.desired, rows.desired->operation, **std::move(payload));
  return true;
}

// REQUIRES: an empty window and a suspect. Answers whether there may be more to do now.
bool EventFeed::SendSuspect() {
  const auto [object, resync] = suspects_.Take();
  const Candidate suspect{object};
  const absl::StatusOr<PlacementRows> rows =
      PeekPlacementRows(settings_.writer.store, settings_.region, suspect.object, Lineage());
  if (!Check(rows.status())) return false;
  if (!rows->desired) return true;
  const Due due = DueOf(*rows, settings_.target_incarnation, settings_.clock.Now());
  if (due == Due::kNow) ready_.push_front(suspect);
  if (due != Due::kSuspect || !Send(suspect, *rows)) return true;
  suspect_in_flight_ = !window_.empty();
  if (resync && resync_ && !suspect_in_flight_) resync_->flawed = true;
  if (resync) window_.OweToResync(suspect.object);
  return !suspect_in_flight_;
}

void EventFeed::Redeliver(const ObjectId& object) {
  const EventWindow::Flight flight = *window_.Find(object);
  const absl::StatusOr<PlacementRows> rows = PeekPlacementRows(settings_.writer.store, settings_.region, object, Lineage());
  if (!rows.ok() || !rows->desired) return;
  if (rows->desired->revision != flight.revision) {
    // Its successor need not wait for an answer that may never come.
    window_.Supersede(object);
    deferred_.erase(object);
    suspect_in_flight_ = false;
    ready_.push_front({object});
    return;
  }
  absl::StatusOr<std::optional<std::string>> payload = ReadPayload(settings_.writer.store, object, *rows->desired);
  if (!payload.ok() || !*payload) return;
  settings_.memory->counters.redeliveries++;
  Append({object}, *rows->desired, rows->desired->operation, **std::move(payload));
}

void EventFeed::Retain(const Candidate& candidate, const PlacementRows& rows) {
  if (!candidate.resync || rows.desired->operation != Operation::kApply) return;
  Append(candidate, *rows.desired, Operation::kRetain, "");
}

void EventFeed::Append(const Candidate& candidate, const DesiredState& desired, Operation operation, std::string payload) {
  outbox_.Append(candidate.object, desired, operation, std::move(payload), candidate.resync ? resync_->sync_id : "");
  if (candidate.resync) resync_->Count(candidate.object);
  bookmark_due_ = true;
}

void EventFeed::Sent() {
  outbox_.Sent();
  Pump();
}

// Whoever has much to do gives way to calls, and to regions that keep up (docs/adr/2026-11-23-background-pool.md).
void EventFeed::MoveStrand() const {
  if (stopped_ || settings_.prompt == nullptr) return;
  const bool keeps_up =
      !resync_ && !window_.full() && ready_.empty() && !outbox_.blocked() && !audit_->walking() && unsettled_count_ <= kMaxUnsettledPrompt;
  settings_.strand->MoveTo(keeps_up ? *settings_.prompt : settings_.writer.executor);
}

bool EventFeed::Idle() const {
  return ready_.empty() && !pending_dirty_ && !retries_ && !resync_ && suspects_.empty() && deferred_.empty() && window_.empty();
}

bool EventFeed::Check(const absl::Status& status) {
  if (status.ok()) return true;
  Log(Severity::kError, "feed_failed", {{"region", settings_.region}, {"error", status}});
  settings_.fail(status, Ending::kOrderly);
  return false;
}

}  // namespace keyferry

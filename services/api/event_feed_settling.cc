// What an EventFeed does besides pumping: acks, full resyncs, bookmarks, audits.
#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "keyferry/v1/provisioning.pb.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/log.h"
#include "libs/crypto/aead.h"
#include "libs/storage/keys.h"
#include "services/api/event_feed.h"
#include "services/api/provisioning_messages.h"
#include "services/api/region_metrics.h"

namespace keyferry {
namespace {

constexpr size_t kObjectsPerWrite = 64;
constexpr size_t kSyncIdBytes = 16;

absl::Status Unavailable(std::string_view reason, std::string_view message) {
  return MakeError(absl::StatusCode::kUnavailable, message, {.reason = std::string(reason)});
}

void WriteEach(const FeedSettings& settings, const std::vector<ObjectId>& objects,
               const std::function<absl::Status(Transaction&, const ObjectId&)>& plan) {
  for (size_t begin = 0; begin < objects.size(); begin += kObjectsPerWrite) {
    const auto end = objects.begin() + std::min(begin + kObjectsPerWrite, objects.size());
    RunTransaction(
        settings.writer,
        [plan, some = std::vector<ObjectId>(objects.begin() + begin, end)](Transaction& transaction) {
          for (const ObjectId& object : some) RETURN_IF_ERROR(plan(transaction, object));
          return absl::OkStatus();
        },
        [region = settings.region](absl::StatusOr<Revision> written) {
          // What was not repaired is found again by the next audit.
          if (!written.ok()) Log(Severity::kWarning, "repair_not_written", {{"region", region}, {"error", written.status()}});
        });
  }
}

}  // namespace

EventFeed::EventFeed(FeedSettings settings)
    : settings_(std::move(settings)),
      connected_since_(settings_.clock.Now()),
      window_(settings_.max_objects, settings_.max_bytes),
      outbox_(settings_),
      pending_(PlacementScan::OfPending(settings_.writer.store, settings_.region, settings_.memory->low_water)),
      last_bookmark_(settings_.clock.Monotonic()),
      last_rescan_(last_bookmark_),
      last_audit_(last_bookmark_) {}

EventFeed::~EventFeed() { Stop(); }

void EventFeed::Start(const RegionStateRow& state, Revision state_revision) {
  const std::weak_ptr<EventFeed> weak = weak_from_this();
  acks_ = std::make_shared<AckQueue>(
      settings_, [this] { return Context(); }, [this](const AckReport& ack, AckEffect effect) { Settled(ack, effect); }, [this] { Pump(); });
  audit_ = std::make_shared<InventoryAudit>(
      settings_, InventoryAudit::Findings{.lost = [this](std::vector<ObjectId> objects) { Drifted(std::move(objects)); },
                                          .stray = [this](std::vector<ObjectId> objects) {
                                            WriteEach(settings_, objects, [context = Context()](Transaction& transaction, const ObjectId& object) {
                                              return DesireDeleteOfStray(transaction, context, object);
                                            });
                                          }});
  const RowKey pending = keys::PendingIn(settings_.region);
  const auto rung = std::make_shared<std::atomic<bool>>(false);
  doorbell_ = settings_.writer.store.Ring(pending, PrefixEnd(pending.bytes), [weak, rung, strand = settings_.strand] {
    if (rung->exchange(true)) return;
    strand->Run([weak, rung] {
      rung->store(false);
      const std::shared_ptr<EventFeed> feed = weak.lock();
      if (!feed) return;
      feed->pending_dirty_ = true;
      feed->Pump();
    });
  });
  BeginResync(state, state_revision);
  Pump();
}

void EventFeed::Stop() {
  if (std::exchange(stopped_, true)) return;
  settings_.strand->MoveTo(settings_.writer.executor);
  doorbell_.reset();
  if (acks_) acks_->Stop();
  if (audit_) audit_->Stop();
}

AckContext EventFeed::Context() const {
  return {.region = settings_.region,
          .principal = settings_.principal,
          .target_incarnation = settings_.target_incarnation,
          .lineage = Lineage(),
          .ceiling = WithLineage(settings_.writer.store.Ceiling(), Lineage()),
          .now = settings_.clock.Now(),
          .connected_since = connected_since_,
          .random = settings_.random()};
}

void EventFeed::Acked(const v1::AckBatch& batch) {
  for (const v1::Ack& wire : batch.acks()) {
    std::optional<AckReport> ack = FromWire(wire);
    if (!ack) {
      settings_.memory->counters.unknown_acks++;
    } else if (wire.epoch() != settings_.epoch || wire.target_incarnation() != settings_.target_incarnation) {
      settings_.memory->counters.stale_acks++;
    } else {
      Working(ack->object);
      window_.Answered(ack->object, ack->revision);
      if (!acks_->Add(*std::move(ack))) {
        return settings_.fail(MakeError(absl::StatusCode::kResourceExhausted,
                                        absl::StrCat("more than ", kMaxAcksQueued, " acks wait to be settled; send one ack an event"),
                                        {.reason = "TOO_MANY_ACKS"}),
                              Ending::kOrderly);
      }
    }
  }
  acks_->Advance();
}

void EventFeed::Settled(const AckReport& ack, AckEffect effect) {
  ProvisioningCounters& counters = settings_.memory->counters;
  if (effect == AckEffect::kStale) counters.stale_acks++;
  if (effect == AckEffect::kUnknown || effect == AckEffect::kForeignUid) counters.unknown_acks++;
  if (effect == AckEffect::kDigestMismatch) counters.digest_mismatches++;
  if (effect == AckEffect::kTouched) counters.touches++;
  if (effect == AckEffect::kAboveHead) return AboveHead(ack);
  // An answer about another uid answers nothing; the stall timeout deals with whoever gives it.
  if (effect == AckEffect::kForeignUid || !window_.Release(ack.object, ack.revision)) return;
  bookmark_due_ = true;
  if (suspect_in_flight_) {
    suspect_in_flight_ = false;
    suspects_.WaitAnew(settings_.clock.Monotonic());
  }
  if (deferred_.erase(ack.object) > 0) ready_.push_front({ack.object});
}

// Only an answer to what it was sent is evidence of a rewind.
void EventFeed::AboveHead(const AckReport& ack) {
  settings_.memory->counters.unknown_acks++;
  Log(Severity::kError, "ack_above_head",
      {{"region", settings_.region}, {"organization", ack.object.organization}, {"object", ack.object.name}, {"revision", ack.revision}});
  if (window_.Find(ack.object) != nullptr && LineageOf(ack.revision) <= Lineage() + kMaxLineagesAhead) return settings_.rewound(ack.revision);
  settings_.fail(MakeError(absl::StatusCode::kFailedPrecondition, "an ack names a revision that this store can not have given out",
                           {.reason = "REVISION_OUT_OF_RANGE"}),
                 Ending::kOrderly);
}

void EventFeed::Working(const ObjectId& object) { window_.Heard(object, settings_.clock.Monotonic()); }

void EventFeed::Drifted(std::vector<ObjectId> objects) {
  settings_.memory->counters.touches += objects.size();
  WriteEach(settings_, objects, [context = Context()](Transaction& transaction, const ObjectId& object) {
    return Touch(transaction, context, object, TouchOnly::kReady).status();
  });
}

void EventFeed::Listed(const v1::Inventory& inventory) { audit_->Received(inventory); }

void EventFeed::BeginAudit() { audit_->Begin(); }

void EventFeed::Tick() {
  const absl::Duration now = settings_.clock.Monotonic();
  const EventWindow::Stalled stalled = window_.TakeStalled(now);
  if (stalled.hopeless) return settings_.fail(Unavailable("STALLED", "no sign of progress on an event for three minutes; connect again"), Ending::kDied);
  for (const ObjectId& object : stalled.redeliver) Redeliver(object);
  if (!stalled.redeliver.empty()) CountResent(settings_.region, static_cast<int64_t>(stalled.redeliver.size()));
  if (now - last_rescan_ >= kRescanInterval) {
    last_rescan_ = now;
    if (!retries_) retries_ = PlacementScan::OfStrandedRetries(settings_.writer.store, settings_.region, settings_.clock.Now());
    pending_ = PlacementScan::OfPending(settings_.writer.store, settings_.region, settings_.memory->low_water);
    pending_dirty_ = true;
  }
  if (!retries_) retries_ = PlacementScan::OfDueRetries(settings_.writer.store, settings_.region, settings_.clock.Now());
  if (now - last_audit_ >= kInventoryInterval && !resync_) {
    last_audit_ = now;
    BeginAudit();
  }
  acks_->Advance();
  RepeatResync();
  Pump();
  if (!stopped_ && (now - last_bookmark_ >= kBookmarkInterval || (bookmark_due_ && Idle()))) SendBookmark();
}

void EventFeed::CheckResync() {
  const absl::StatusOr<std::optional<Row>> row = settings_.writer.store.Get(keys::RegionState(settings_.region));
  if (!Check(row.status()) || !*row) return;
  const absl::StatusOr<RegionStateRow> state = Decode<RegionStateRow>((*row)->value);
  if (!Check(state.status())) return;
  BeginResync(*state, (*row)->revision);
  Pump();
}

void EventFeed::BeginResync(const RegionStateRow& state, Revision state_revision) {
  const bool needed = state.resync_requested || state.synced_incarnation != settings_.target_incarnation ||
                      state.synced_lineage != Lineage();
  if (!needed || resync_) return;
  resync_ = std::make_unique<FullResync>(settings_.writer.store, settings_.region, Head(), state_revision, state.allow_mass_delete,
                                         RandomBytes(kSyncIdBytes));
  Log(Severity::kInfo, "full_resync_begins", {{"region", settings_.region}, {"as_of_revision", resync_->as_of_revision}});
  v1::ApiMessage message;
  message.mutable_sync_begin()->set_sync_id(resync_->sync_id);
  message.mutable_sync_begin()->set_as_of_revision(resync_->as_of_revision);
  outbox_.Send(message);
}

// Answers whether it did something. REQUIRES: nothing is ready to be sent.
bool EventFeed::AdvanceResync() {
  if (!resync_ || !resync_->walked || resync_->recording || resync_->again_at) return false;
  if (resync_->flawed) {
    Log(Severity::kError, "full_resync_flawed", {{"region", settings_.region}, {"effect", "no sweep; it begins again later"}});
    resync_->again_at = settings_.clock.Monotonic() + resync_delay_;
    resync_delay_ = std::min(2 * resync_delay_, kMaxResyncDelay);
    return true;
  }
  if (!resync_->ended) {
    v1::ApiMessage message;
    v1::SyncEnd& end = *message.mutable_sync_end();
    end.set_sync_id(resync_->sync_id);
    end.set_as_of_revision(resync_->as_of_revision);
    end.set_object_count(resync_->object_count());
    end.set_object_hash(resync_->object_hash());
    end.set_allow_mass_delete(resync_->allow_mass_delete);
    outbox_.Send(message);
    resync_->ended = true;
    return true;
  }
  if (resync_->done && !window_.HasResync() && !suspects_.OweToResync()) RecordResync();
  return false;
}

// It stays until then: while it is here the floor is 0.
void EventFeed::RepeatResync() {
  if (!resync_ || !resync_->again_at || settings_.clock.Monotonic() < *resync_->again_at) return;
  resync_.reset();
  CheckResync();
}

void EventFeed::Synced(const v1::SyncDone& done) {
  if (!resync_ || !resync_->ended || done.sync_id() != resync_->sync_id) return;
  if (!done.swept()) {
    Log(Severity::kError, "full_resync_not_swept",
        {{"region", settings_.region}, {"mend", "if the region holds more than it should on purpose: Resync with allow_mass_delete"}});
  }
  resync_->done = true;
  Pump();
}

void EventFeed::RecordResync() {
  resync_->recording = true;
  RunTransaction(
      settings_.writer,
      [region = settings_.region, epoch = settings_.epoch, incarnation = settings_.target_incarnation, lineage = Lineage(),
       asked_by = resync_->state_revision](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(const auto row, transaction.Get<RegionStateRow>(keys::RegionState(region)));
        if (!row || row->value.epoch != epoch) return absl::FailedPreconditionError("another session owns the region");
        RegionStateRow state = row->value;
        state.synced_incarnation = incarnation;
        state.synced_lineage = lineage;
        // Asked for again meanwhile: stays asked for.
        if (row->revision == asked_by) state.resync_requested = state.allow_mass_delete = false;
        transaction.Put(keys::RegionState(region), Encode(state));
        return absl::OkStatus();
      },
      [self = shared_from_this()](absl::StatusOr<Revision> recorded) {
        self->settings_.strand->Run([self, status = recorded.status()] { self->ResyncRecorded(status); });
      });
}

void EventFeed::ResyncRecorded(const absl::Status& recorded) {
  if (stopped_) return;
  if (!recorded.ok()) {
    Log(Severity::kWarning, "full_resync_not_recorded", {{"region", settings_.region}, {"error", recorded}});
    resync_->recording = false;
    return;
  }
  Log(Severity::kInfo, "full_resync_complete", {{"region", settings_.region}, {"objects", resync_->object_count()}});
  settings_.memory->counters.resyncs++;
  resync_.reset();
  resync_delay_ = kMinResyncDelay;
  bookmark_due_ = true;
  CheckResync();
}

void EventFeed::SendBookmark() {
  const uint64_t head = Head();
  const bool idle = Idle();
  const absl::StatusOr<Unsettled> unsettled =
      SurveyUnsettled(settings_.writer.store, settings_.region, settings_.memory->low_water, Lineage());
  if (!Check(unsettled.status())) return;
  settings_.memory->low_water = unsettled->low_water;
  unsettled_count_ = unsettled->count;
  last_bookmark_ = settings_.clock.Monotonic();
  bookmark_due_ = false;
  const uint64_t floor = unsettled->lowest_revision ? *unsettled->lowest_revision - 1 : head;
  v1::ApiMessage message;
  v1::Bookmark& bookmark = *message.mutable_bookmark();
  bookmark.set_head_revision(idle ? scanned_head_ : std::min(floor, scanned_head_));
  bookmark.set_settled_floor(resync_ || unsettled->unknown_floor ? 0 : floor);
  bookmark.set_pending_count(unsettled->count);
  const absl::Time now = settings_.clock.Now();
  bookmark.mutable_time()->set_seconds(absl::ToUnixSeconds(now));
  bookmark.mutable_time()->set_nanos((now - absl::FromUnixSeconds(absl::ToUnixSeconds(now))) / absl::Nanoseconds(1));
  outbox_.Send(message);
}

}  // namespace keyferry

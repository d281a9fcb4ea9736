// Feeds one owner of a region: pulls what is due from the indexes, within the provisioner's credit, and settles what it acks
// (docs/provisioning-protocol.md). Holds no queue but the page that it is sending; what it knows it can read again.
//
// Thread safety: confined to the region's strand, except the constructor. Create as a shared_ptr: work under way keeps it alive.
#ifndef KEYFERRY_SERVICES_API_EVENT_FEED_H_
#define KEYFERRY_SERVICES_API_EVENT_FEED_H_

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/api/ack_queue.h"
#include "services/api/event_outbox.h"
#include "services/api/event_suspects.h"
#include "services/api/event_window.h"
#include "services/api/feed_settings.h"
#include "services/api/full_resync.h"
#include "services/api/inventory_audit.h"
#include "services/api/placement_rows.h"

namespace keyferry {

class EventFeed : public std::enable_shared_from_this<EventFeed> {
 public:
  explicit EventFeed(FeedSettings settings);
  ~EventFeed();

  void Start(const RegionStateRow& state, Revision state_revision);
  // Sends nothing more; acks are still settled.
  void Drain() { draining_ = true; }
  // Does nothing more, whatever is still under way.
  void Stop();

  void Acked(const v1::AckBatch& batch);
  void Working(const ObjectId& object);
  void Drifted(std::vector<ObjectId> objects);
  void Listed(const v1::Inventory& inventory);
  void Synced(const v1::SyncDone& done);
  // The transport has written one message.
  void Sent();
  // Once a second.
  void Tick();
  // RegionState may ask for a full resync.
  void CheckResync();
  void BeginAudit();
  const EventWindow& window() const { return window_; }
  AckContext Context() const;

 private:
  struct Candidate {
    ObjectId object;
    bool resync = false;
  };
  enum Source : uint8_t { kRetries, kPending, kResync, kSourceCount };

  // The pump: event_feed.cc.
  void Pump();
  bool Step();
  void Refill();
  absl::StatusOr<std::vector<ObjectId>> NextPage(Source source);
  bool Offer(const Candidate& candidate);
  bool OfferSettled(const Candidate& candidate, const PlacementRows& rows);
  bool Send(const Candidate& candidate, const PlacementRows& rows);
  bool SendSuspect();
  void Redeliver(const ObjectId& object);
  void Retain(const Candidate& candidate, const PlacementRows& rows);
  void Append(const Candidate& candidate, const DesiredState& desired, Operation operation, std::string payload);
  bool Idle() const;
  void MoveStrand() const;
  bool Check(const absl::Status& status);

  // Settling, syncing, marking: event_feed_settling.cc.
  void Settled(const AckReport& ack, AckEffect effect);
  void AboveHead(const AckReport& ack);
  void BeginResync(const RegionStateRow& state, Revision state_revision);
  bool AdvanceResync();
  void RecordResync();
  void ResyncRecorded(const absl::Status& recorded);
  void SendBookmark();
  void RepeatResync();
  uint64_t Lineage() const { return settings_.writer.term().lineage; }
  uint64_t Head() const { return WithLineage(settings_.writer.store.Head(), Lineage()); }

  const FeedSettings settings_;
  const absl::Time connected_since_;
  std::shared_ptr<AckQueue> acks_;
  std::shared_ptr<InventoryAudit> audit_;
  EventWindow window_;
  EventOutbox outbox_;
  std::unique_ptr<Store::Subscription> doorbell_;
  bool stopped_ = false;
  bool draining_ = false;
  // Handed out by a source, not yet sent.
  std::deque<Candidate> ready_;
  int source_ = 0;
  PlacementScan pending_;
  bool pending_dirty_ = true;
  std::optional<PlacementScan> retries_;
  std::unique_ptr<FullResync> resync_;
  absl::Duration resync_delay_ = kMinResyncDelay;
  // To look at again when the revision in flight is acked.
  std::set<ObjectId> deferred_;
  EventSuspects suspects_;
  bool suspect_in_flight_ = false;
  // As the last bookmark told.
  int64_t unsettled_count_ = 0;
  // Every pending entry up to here was handed out.
  uint64_t scanned_head_ = 0;
  bool bookmark_due_ = true;
  absl::Duration last_bookmark_;
  absl::Duration last_rescan_;
  absl::Duration last_audit_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_EVENT_FEED_H_

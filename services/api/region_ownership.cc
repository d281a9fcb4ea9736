#include "services/api/region_ownership.h"

#include <algorithm>
#include <iterator>

#include "libs/common/log.h"
#include "libs/crypto/sealed_box.h"
#include "libs/storage/keys.h"

namespace keyferry {

void RegionOwnership::Post(std::function<void(RegionSession&)> work) {
  strand_->Run([self = shared_from_this(), work = std::move(work)] {
    for (const std::shared_ptr<RegionSession>& session : self->Sessions()) work(*session);
  });
}

void RegionOwnership::ExtendCertificate(const std::string& provisioner_id, absl::Time expiry) {
  strand_->Run([self = shared_from_this(), provisioner_id, expiry] {
    for (const std::shared_ptr<RegionSession>& session : self->Sessions()) {
      if (session->provisioner_id() == provisioner_id) session->ExtendCertificate(expiry);
    }
    self->Publish();
  });
}

void RegionOwnership::Abandon() {
  strand_->Run([self = shared_from_this()] {
    // What they commit from here on is nobody's concern, and no standby is to follow.
    self->committing_ = true;
    for (const std::shared_ptr<RegionSession>& session : self->Sessions()) session->Refuse(absl::UnavailableError("the API has ended"));
  });
}

std::vector<std::shared_ptr<RegionSession>> RegionOwnership::Sessions() const {
  std::vector<std::shared_ptr<RegionSession>> sessions;
  if (owner_) sessions.push_back(owner_);
  sessions.insert(sessions.end(), standbys_.begin(), standbys_.end());
  sessions.insert(sessions.end(), ungreeted_.begin(), ungreeted_.end());
  return sessions;
}

std::vector<SessionSummary> RegionOwnership::Provisioners() const {
  absl::MutexLock lock(&mutex_);
  return published_;
}

bool RegionOwnership::HasProvisioners() const {
  absl::MutexLock lock(&mutex_);
  return !published_.empty();
}

void RegionOwnership::Join(const std::shared_ptr<RegionSession>& session) {
  const auto same = [&](const std::shared_ptr<RegionSession>& other) { return other->provisioner_id() == session->provisioner_id(); };
  std::vector<std::shared_ptr<RegionSession>> older;
  std::copy_if(standbys_.begin(), standbys_.end(), std::back_inserter(older), same);
  const bool takes_over = owner_ && same(owner_);
  if (takes_over) {
    older.push_back(owner_);
    memory_->counters.takeovers++;
  }
  // Before the older one leaves, so that no other standby is granted in its place.
  standbys_.insert(takes_over ? standbys_.begin() : standbys_.end(), session);
  ungreeted_.erase(session);
  for (const std::shared_ptr<RegionSession>& other : older) other->Supersede(session->boot_id());
  Advance();
  if (owner_ && owner_ != session) session->StandBy(owner_->provisioner_id());
  Publish();
}

void RegionOwnership::Left(const std::shared_ptr<RegionSession>& session, std::map<ObjectId, EventWindow::Flight> suspects) {
  ungreeted_.erase(session);
  std::erase(standbys_, session);
  if (owner_ == session) {
    owner_ = nullptr;
    if (!suspects.empty()) MarkSuspects(*session, std::move(suspects));
  }
  Advance();
  Publish();
  settings_.session_ended();
}

void RegionOwnership::Advance() {
  if (owner_ || committing_ || standbys_.empty()) return;
  const auto next = NextOwner();
  owner_ = *next;
  standbys_.erase(next);
  Grant(owner_);
}

// One that has a key before the present one opens but a part of what is there.
std::deque<std::shared_ptr<RegionSession>>::iterator RegionOwnership::NextOwner() {
  const absl::StatusOr<std::string> present = SealingKeyIdNow();
  if (!present.ok()) return standbys_.begin();
  const auto found = std::find_if(standbys_.begin(), standbys_.end(), [&](const auto& standby) {
    return standby->sealing_key_id() == *present;
  });
  return found == standbys_.end() ? standbys_.begin() : found;
}

bool RegionOwnership::HasStandbyUnder(const std::string& sealing_key_id) const {
  return std::any_of(standbys_.begin(), standbys_.end(), [&](const std::shared_ptr<RegionSession>& standby) {
    return standby->sealing_key_id() == sealing_key_id;
  });
}

absl::StatusOr<std::string> RegionOwnership::SealingKeyIdNow() const {
  ASSIGN_OR_RETURN(const std::optional<Row> row, settings_.writer.store.Get(keys::Region(region_)));
  if (!row) return absl::NotFoundError("the region is gone");
  ASSIGN_OR_RETURN(const RegionRow region, Decode<RegionRow>(row->value));
  return SealingKeyId(region.sealing_key);
}

void RegionOwnership::Grant(const std::shared_ptr<RegionSession>& session) {
  committing_ = true;
  const auto state = std::make_shared<RegionStateRow>();
  RunTransaction(
      settings_.writer,
      [region = region_, incarnation = session->target_incarnation(), state](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(const auto row, transaction.Get<RegionStateRow>(keys::RegionState(region)));
        *state = row ? row->value : RegionStateRow{};
        state->epoch++;
        // What the other one lacked since is not known: an incarnation that returns is synced in full.
        if (state->target_incarnation != incarnation) state->synced_incarnation.clear();
        state->target_incarnation = incarnation;
        transaction.Put(keys::RegionState(region), Encode(*state));
        return absl::OkStatus();
      },
      [self = shared_from_this(), session, state](absl::StatusOr<Revision> committed) {
        self->strand_->Run([self, session, state, committed = std::move(committed)] {
          self->GrantCommitted(session, *state, committed);
        });
      });
}

void RegionOwnership::GrantCommitted(const std::shared_ptr<RegionSession>& session, const RegionStateRow& state,
                                     absl::StatusOr<Revision> committed) {
  committing_ = false;
  if (owner_ != session) return Advance();
  if (!committed.ok()) {
    Log(Severity::kError, "grant_not_committed", {{"region", region_}, {"error", committed.status()}});
    return session->Refuse(committed.status());
  }
  Log(Severity::kInfo, "region_granted", {{"region", region_}, {"provisioner", session->provisioner_id()}, {"epoch", state.epoch}});
  session->Granted(state.epoch, state, *committed);
  Publish();
}

void RegionOwnership::MarkSuspects(const RegionSession& session, std::map<ObjectId, EventWindow::Flight> suspects) {
  committing_ = true;
  const uint64_t lineage = settings_.writer.term().lineage;
  AckContext context{.region = region_, .target_incarnation = session.target_incarnation(), .lineage = lineage, .now = settings_.clock.Now()};
  Log(Severity::kWarning, "session_died", {{"region", region_}, {"provisioner", session.provisioner_id()}, {"in_flight", suspects.size()}});
  RunTransaction(
      settings_.writer,
      [context, suspects = std::move(suspects)](Transaction& transaction) {
        for (const auto& [object, flight] : suspects) RETURN_IF_ERROR(MarkSuspect(transaction, context, object, flight.revision));
        return absl::OkStatus();
      },
      [self = shared_from_this()](absl::StatusOr<Revision> marked) {
        if (!marked.ok()) Log(Severity::kWarning, "suspects_not_marked", {{"region", self->region_}, {"error", marked.status()}});
        self->strand_->Run([self] {
          self->committing_ = false;
          self->Advance();
        });
      });
}

uint64_t RegionOwnership::Ceiling() const {
  return WithLineage(settings_.writer.store.Ceiling(), settings_.writer.term().lineage);
}

uint64_t RegionOwnership::Head() const {
  return WithLineage(settings_.writer.store.Head(), settings_.writer.term().lineage);
}

void RegionOwnership::Publish() {
  std::vector<SessionSummary> summaries;
  if (owner_) summaries.push_back(owner_->Summary());
  for (const std::shared_ptr<RegionSession>& standby : standbys_) summaries.push_back(standby->Summary());
  absl::MutexLock lock(&mutex_);
  published_ = std::move(summaries);
}

}  // namespace keyferry

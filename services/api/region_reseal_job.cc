#include "services/api/region_reseal_job.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/backoff.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/storage/keys.h"
#include "services/api/audit_trail.h"
#include "services/api/placement_rows.h"

namespace keyferry {
namespace {

constexpr int kStepsPerSave = 8;
constexpr absl::Duration kProofPoll = absl::Milliseconds(20);
constexpr absl::Duration kFirstRetry = absl::Seconds(1);
constexpr absl::Duration kLastRetry = absl::Minutes(5);

// Busy or away: the same may go well a moment later.
bool PassesByItself(const absl::Status& status) {
  return absl::IsAborted(status) || absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

double Random() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.5, 1)(random);
}

// Of the key and of when it became the region's: one that comes back begins a pass of its own.
std::string PassOf(const RegionRow& region) {
  return SealingKeyId(absl::StrCat(region.sealing_key, absl::ToUnixNanos(region.sealing_key_time)));
}

RowKey After(RowKey key) {
  key.bytes.push_back('\0');
  return key;
}

}  // namespace

RegionResealJob::RegionResealJob(const UseCaseDeps& deps, std::shared_ptr<Strand> strand, std::string region,
                                 std::function<void()> ended)
    : deps_(deps), strand_(std::move(strand)), region_(std::move(region)), ended_(std::move(ended)) {
  progress_ = {.region = region_, .begin_time = deps_.clock.Now()};
}

RegionResealProgress RegionResealJob::progress() const {
  const absl::MutexLock lock(&mutex_);
  return progress_;
}

void RegionResealJob::Later(absl::Duration delay, Next next) {
  strand_->RunAfter(delay, [self = shared_from_this(), timer = ++timer_, next] {
    if (self->timer_ == timer) ((*self).*next)();
  });
}

void RegionResealJob::Commit(TransactionPlan plan, Next next) {
  RunTransaction(deps_.writer, std::move(plan),
                 [self = shared_from_this(), next](const absl::StatusOr<Revision>& committed) {
                   self->strand_->Run([self, next, status = committed.status()] {
                     if (!status.ok()) return self->Retry(status, &RegionResealJob::Step);
                     ((*self).*next)();
                   });
                 });
}

void RegionResealJob::Retry(const absl::Status& failure, Next next) {
  Log(Severity::kWarning, "region_reseal_waits", {{"region", region_}, {"error", failure}});
  Later(BackoffDelay(failure_count_++, kFirstRetry, kLastRetry, Random()), next);
}

void RegionResealJob::Run() {
  const absl::StatusOr<std::optional<Row>> stored = deps_.writer.store.Get(keys::RegionRotation(region_));
  if (!stored.ok()) return Retry(stored.status(), &RegionResealJob::Run);
  if (*stored) {
    if (const absl::StatusOr<RotationRow> row = Decode<RotationRow>((*stored)->value); row.ok()) {
      // The cursor is the id of the pass's key and the placement's key.
      if (row->family == static_cast<int>(Family::kPlacements) && row->cursor.size() > kSealingKeyIdBytes) {
        sealing_key_id_ = row->cursor.substr(0, kSealingKeyIdBytes);
        cursor_ = {Family::kPlacements, row->cursor.substr(kSealingKeyIdBytes)};
        blocked_count_ = row->blocked_count;
      }
      const absl::MutexLock lock(&mutex_);
      progress_ = {.region = region_,
                   .begin_time = row->begin_time,
                   .visited_count = row->visited_count,
                   .moved_count = row->moved_count,
                   .blocked_count = row->blocked_count};
    }
  }
  Step();
}

void RegionResealJob::Wake() {
  again_ = !resting_;
  if (resting_) Step();
}

RowKey RegionResealJob::FirstOf(ObjectKind kind) const {
  RowKey first = keys::Desired(region_, {.kind = kind});
  // Without the separator between two empty names.
  first.bytes.pop_back();
  return first;
}

// False: there is nothing to do any more. A key that is not the pass's begins a new one.
absl::StatusOr<bool> RegionResealJob::CheckKey() {
  ASSIGN_OR_RETURN(const std::optional<Row> stored, deps_.writer.store.Get(keys::Region(region_)));
  if (!stored) return false;
  ASSIGN_OR_RETURN(const RegionRow row, Decode<RegionRow>(stored->value));
  if (row.previous_sealing_keys.empty()) return false;
  if (const std::string id = PassOf(row); id != sealing_key_id_) {
    sealing_key_id_ = id;
    cursor_ = FirstOf(ObjectKind::kSecretSet);
    blocked_count_ = 0;
  }
  return true;
}

void RegionResealJob::Step() {
  resting_ = false;
  const absl::StatusOr<bool> needed = CheckKey();
  if (!needed.ok()) return Retry(needed.status(), &RegionResealJob::Step);
  if (!*needed) return Finish();
  if (deps_.region_connected && !deps_.region_connected(region_))
    return Later(kResealAwayInterval, &RegionResealJob::Step);
  const absl::StatusOr<bool> found = NextPage();
  if (!found.ok()) return Retry(found.status(), &RegionResealJob::Step);
  if (!*found) return EndPass();
  next_object_ = 0;
  NextObject();
}

// False: the pass is over.
absl::StatusOr<bool> RegionResealJob::NextPage() {
  const RowKey sets = FirstOf(ObjectKind::kSecretSet);
  const bool in_sets = cursor_.bytes.starts_with(sets.bytes);
  const std::string end = PrefixEnd(in_sets ? sets.bytes : FirstOf(ObjectKind::kDeployment).bytes);
  ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, deps_.writer.store.Scan(cursor_, end, kResealObjectsPerStep));
  page_.clear();
  for (const KeyedRow& row : rows) {
    if (std::optional<ObjectId> object = keys::ObjectOf(row.key)) page_.push_back(*std::move(object));
  }
  cursor_after_page_ = rows.empty() ? FirstOf(ObjectKind::kDeployment) : After(rows.back().key);
  return !rows.empty() || in_sets;
}

void RegionResealJob::NextObject() {
  if (next_object_ == page_.size()) {
    proofs_awaited_since_ = deps_.clock.Monotonic();
    return AwaitProofs();
  }
  const auto resealed = std::make_shared<ResealedObject>();
  RunTransaction(
      deps_.writer,
      [self = shared_from_this(), resealed, object = page_[next_object_]](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(*resealed, ResealObject(transaction, self->deps_, self->region_, object));
        return absl::OkStatus();
      },
      [self = shared_from_this(), resealed](const absl::StatusOr<Revision>& committed) {
        absl::StatusOr<ResealedObject> result =
            committed.ok() ? absl::StatusOr<ResealedObject>(*resealed) : committed.status();
        self->strand_->Run([self, result = std::move(result)] { self->Visited(result); });
      });
}

void RegionResealJob::Visited(const absl::StatusOr<ResealedObject>& resealed) {
  if (!resealed.ok() && PassesByItself(resealed.status()))
    return Retry(resealed.status(), &RegionResealJob::NextObject);
  const ObjectId& object = page_[next_object_++];
  if (!resealed.ok()) {
    Log(Severity::kError, "region_reseal_failed",
        {{"region", region_},
         {"organization", object.organization},
         {"object", object.name},
         {"error", resealed.status()}});
  }
  FAILPOINT("region_reseal.object_moved");
  failure_count_ = 0;
  const bool blocked = !resealed.ok() || resealed->blocked;
  blocked_count_ += blocked;
  if (resealed.ok() && resealed->delivered_again) unproved_.push_back(object);
  {
    const absl::MutexLock lock(&mutex_);
    ++progress_.visited_count;
    progress_.moved_count += resealed.ok() && resealed->moved;
    // Of the last whole pass, until this one has found more.
    progress_.blocked_count = std::max(progress_.blocked_count, blocked_count_);
  }
  NextObject();
}

absl::StatusOr<bool> RegionResealJob::IsPending(const ObjectId& object) const {
  const Store& store = deps_.writer.store;
  ASSIGN_OR_RETURN(const PlacementRows rows, PeekPlacementRows(store, region_, object, deps_.writer.term().lineage));
  if (!rows.desired || rows.desired->operation != Operation::kApply) return false;
  ASSIGN_OR_RETURN(const std::optional<Row> stored, store.Get(keys::RegionState(region_)));
  if (!stored) return true;
  ASSIGN_OR_RETURN(const RegionStateRow state, Decode<RegionStateRow>(stored->value));
  return ReadinessOf(*rows.desired, rows.observed, state.target_incarnation) == Readiness::kPending;
}

void RegionResealJob::AwaitProofs() {
  std::erase_if(unproved_, [&](const ObjectId& object) { return !IsPending(object).value_or(false); });
  const bool waits = deps_.clock.Monotonic() - proofs_awaited_since_ < kResealPatience;
  if (!unproved_.empty() && waits) return Later(kProofPoll, &RegionResealJob::AwaitProofs);
  unproved_.clear();
  cursor_ = cursor_after_page_;
  if (++step_count_ % kStepsPerSave != 0) return Later(kResealStepInterval, &RegionResealJob::Step);
  FAILPOINT("region_reseal.before_save");
  Commit(
      [self = shared_from_this(), row = ToRow()](Transaction& transaction) {
        transaction.Put(keys::RegionRotation(self->region_), Encode(row));
        return absl::OkStatus();
      },
      &RegionResealJob::EndStep);
}

void RegionResealJob::EndStep() { Later(kResealStepInterval, &RegionResealJob::Step); }

RotationRow RegionResealJob::ToRow() const {
  const RegionResealProgress now = progress();
  return {.begin_time = now.begin_time,
          .family = static_cast<int>(Family::kPlacements),
          .cursor = sealing_key_id_ + cursor_.bytes,
          .visited_count = now.visited_count,
          .moved_count = now.moved_count,
          .blocked_count = blocked_count_};
}

void RegionResealJob::EndPass() {
  const int64_t blocked = std::exchange(blocked_count_, 0);
  {
    const absl::MutexLock lock(&mutex_);
    progress_.blocked_count = blocked;
  }
  if (blocked == 0) return Finish();
  cursor_ = FirstOf(ObjectKind::kSecretSet);
  FAILPOINT("region_reseal.before_save");
  Commit(
      [self = shared_from_this(), row = ToRow()](Transaction& transaction) {
        transaction.Put(keys::RegionRotation(self->region_), Encode(row));
        return absl::OkStatus();
      },
      &RegionResealJob::Rest);
}

void RegionResealJob::Rest() {
  resting_ = true;
  Later(kResealBlockedInterval, &RegionResealJob::Step);
}

// The previous keys go, if the key is still the pass's; if not, the next step sees that.
void RegionResealJob::Finish() {
  FAILPOINT("region_reseal.before_finish");
  const auto done = std::make_shared<bool>();
  RunTransaction(
      deps_.writer,
      [self = shared_from_this(), done](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(auto row, transaction.Get<RegionRow>(keys::Region(self->region_)));
        *done = !row || row->value.previous_sealing_keys.empty() ||
                PassOf(row->value) == self->sealing_key_id_;
        if (!*done) return absl::OkStatus();
        transaction.Erase(keys::RegionRotation(self->region_));
        if (!row || row->value.previous_sealing_keys.empty()) return absl::OkStatus();
        row->value.previous_sealing_keys.clear();
        transaction.Put(keys::Region(self->region_), Encode(row->value));
        AddAuditRecord(transaction, {.time = self->deps_.clock.Now(),
                                     .principal = "system",
                                     .method = "RegionReseal",
                                     .decision = AuditDecision::kDone,
                                     .object_kind = "key",
                                     .object_name = self->region_,
                                     .region = self->region_});
        return absl::OkStatus();
      },
      [self = shared_from_this(), done](const absl::StatusOr<Revision>& committed) {
        self->strand_->Run([self, status = committed.status(), done] {
          if (!status.ok()) return self->Retry(status, &RegionResealJob::Finish);
          if (!*done || std::exchange(self->again_, false)) return self->Step();
          const RegionResealProgress end = self->progress();
          Log(Severity::kInfo, "region_resealed",
              {{"region", self->region_}, {"visited", end.visited_count}, {"moved", end.moved_count}});
          self->ended_();
        });
      });
}

}  // namespace keyferry

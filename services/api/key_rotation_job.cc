#include "services/api/key_rotation_job.h"

#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/common/backoff.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/storage/keys.h"
#include "services/api/audit_trail.h"

namespace keyferry {
namespace {

constexpr int kStepsPerSave = 16;
constexpr absl::Duration kFirstRetry = absl::Milliseconds(200);
constexpr absl::Duration kLastRetry = absl::Minutes(5);

double Random() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.5, 1)(random);
}

// The key that it begins with; 0: it is past that.
int NumberOf(const RotationRow& row) {
  int number = 0;
  return row.family < 0 && absl::SimpleAtoi(row.cursor, &number) ? number : 0;
}

}  // namespace

absl::Status PurgeWrappedKeys(Store& store) {
  return store.Purge({{.begin = {.family = Family::kKeys, .bytes = ""}, .end = ""}});
}

RotationRow NewRotation(int key_number, absl::Time now) {
  return {.begin_time = now, .family = -1, .cursor = absl::StrCat(key_number)};
}

KeyRotationJob::KeyRotationJob(const KeyRotationParts& parts, std::shared_ptr<Strand> strand, std::string owner,
                               RotationRow row, std::function<void()> ended)
    : parts_(parts), strand_(std::move(strand)), owner_(std::move(owner)), ended_(std::move(ended)) {
  if (row.family >= 0) {
    cursor_ = {.family = row.family, .key = std::move(row.cursor)};
    pass_moved_ = true;
  } else {
    key_number_ = NumberOf(row);
  }
  progress_ = {.owner = owner_,
               .begin_time = row.begin_time,
               .visited_count = row.visited_count,
               .moved_count = row.moved_count};
}

KeyRotationProgress KeyRotationJob::progress() const {
  const absl::MutexLock lock(&mutex_);
  return progress_;
}

void KeyRotationJob::Later(absl::Duration delay, Next next) {
  strand_->RunAfter(delay, [self = shared_from_this(), next] { ((*self).*next)(); });
}

void KeyRotationJob::Retry(const absl::Status& failure, Next next) {
  const Severity severity = absl::IsDataLoss(failure) ? Severity::kError : Severity::kWarning;
  Log(severity, "key_rotation_waits", {{"organization", owner_}, {"error", failure}});
  Later(BackoffDelay(failure_count_++, kFirstRetry, kLastRetry, Random()), next);
}

void KeyRotationJob::Run(std::function<void(absl::StatusOr<int>)> added) {
  added_ = std::move(added);
  Begin();
}

// Finds out how far it is: a crash may have come between any two steps.
void KeyRotationJob::Begin() {
  const auto stored = parts_.barrier.StoredKeysOf(owner_);
  if (!stored.ok()) Added(stored.status());
  if (absl::IsNotFound(stored.status())) return FinishGone();
  if (!stored.ok()) return Retry(stored.status(), &KeyRotationJob::Begin);
  const std::vector<WrappedKey>& keys = stored->first.keys;
  newest_number_ = keys.back().number;
  if (keys.size() == 1 && key_number_ > newest_number_) return AddKey();
  Added(newest_number_);
  if (keys.size() == 1) return PurgeKeys();
  Step();
}

void KeyRotationJob::AddKey() {
  const absl::StatusOr<int> number = parts_.barrier.AddKey(owner_, parts_.writer.term());
  Added(number);
  if (!number.ok()) return Retry(number.status(), &KeyRotationJob::Begin);
  FAILPOINT("rotation.key_added");
  Log(Severity::kInfo, "key_rotation_begun", {{"organization", owner_}, {"key", *number}});
  newest_number_ = *number;
  cursor_ = {};
  pass_moved_ = true;
  Step();
}

void KeyRotationJob::Added(const absl::StatusOr<int>& number) {
  if (const auto added = std::exchange(added_, nullptr)) added(number);
}

void KeyRotationJob::Step() {
  const absl::StatusOr<ResealStep> step =
      parts_.barrier.Reseal(owner_, cursor_, kResealRowsPerStep, parts_.writer.term());
  if (absl::IsNotFound(step.status())) return FinishGone();
  if (!step.ok()) {
    // It may have moved rows.
    pass_moved_ = true;
    return Retry(step.status(), &KeyRotationJob::Step);
  }
  FAILPOINT("rotation.rows_resealed");
  failure_count_ = 0;
  {
    const absl::MutexLock lock(&mutex_);
    progress_.visited_count += step->visited_count;
    progress_.moved_count += step->moved_count;
  }
  pass_moved_ = pass_moved_ || step->moved_count > 0;
  if (!step->next) return EndPass();
  cursor_ = *step->next;
  ++step_count_ % kStepsPerSave == 0 ? Save() : Later(kResealRowsInterval, &KeyRotationJob::Step);
}

// A write that was under way may have carried an escrow copy from a row that was still to be seen into one that was not
// there when its turn came. What such a row is made from was moved in the same pass; so a pass that moves nothing
// leaves nothing.
void KeyRotationJob::EndPass() {
  if (!std::exchange(pass_moved_, false)) return Retire();
  cursor_ = {};
  Later(kResealRowsInterval, &KeyRotationJob::Step);
}

void KeyRotationJob::Save() {
  FAILPOINT("rotation.before_save");
  const KeyRotationProgress now = progress();
  const RotationRow row{.begin_time = now.begin_time,
                        .family = cursor_.family,
                        .cursor = cursor_.key,
                        .visited_count = now.visited_count,
                        .moved_count = now.moved_count};
  RunTransaction(
      parts_.writer,
      [key = keys::OrganizationRotation(owner_), value = Encode(row)](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(const std::optional<Row> stored, transaction.Read(key));
        if (!stored) return absl::NotFoundError("the rotation is gone, and its organization with it");
        transaction.Put(key, value);
        return absl::OkStatus();
      },
      [self = shared_from_this()](const absl::StatusOr<Revision>& saved) {
        self->strand_->Run([self, status = saved.status()] { self->Saved(status); });
      });
}

void KeyRotationJob::Saved(const absl::Status& saved) {
  // An erased organization's must not come back.
  if (absl::IsNotFound(saved)) return FinishGone();
  // Where it cannot be saved, more is done again after a crash.
  if (!saved.ok()) Log(Severity::kWarning, "key_rotation_not_saved", {{"organization", owner_}, {"error", saved}});
  Later(kResealRowsInterval, &KeyRotationJob::Step);
}

void KeyRotationJob::Retire() {
  const auto stored = parts_.barrier.StoredKeysOf(owner_);
  if (!stored.ok()) return Retry(stored.status(), &KeyRotationJob::Begin);
  if (stored->first.keys.back().number != newest_number_) {
    // Somebody else added a key: what was seen was seen under another one.
    cursor_ = {};
    pass_moved_ = true;
    return Begin();
  }
  FAILPOINT("rotation.before_retire");
  const absl::Status retired = parts_.barrier.RetireOlderKeys(owner_, parts_.writer.term());
  if (!retired.ok()) return Retry(retired, &KeyRotationJob::Begin);
  FAILPOINT("rotation.retired");
  Begin();
}

// Also when it was retired before a crash: the row is still there, so the files may not be purged yet.
void KeyRotationJob::PurgeKeys() {
  const absl::Status purged = PurgeWrappedKeys(parts_.writer.store);
  if (!purged.ok()) return Retry(purged, &KeyRotationJob::PurgeKeys);
  Finish();
}

void KeyRotationJob::FinishGone() {
  gone_ = true;
  Finish();
}

// The row goes only now: until then a restart comes back to see that all is done. Where another has ended this rotation
// already, there is none, or that of the next.
void KeyRotationJob::Finish() {
  FAILPOINT("rotation.before_finish");
  RunTransaction(
      parts_.writer,
      [self = shared_from_this()](Transaction& transaction) -> absl::Status {
        const RowKey key = keys::OrganizationRotation(self->owner_);
        ASSIGN_OR_RETURN(const auto row, transaction.Get<RotationRow>(key));
        if (!row || (!self->gone_ && NumberOf(row->value) > self->newest_number_)) return absl::OkStatus();
        transaction.Erase(key);
        if (self->gone_) return absl::OkStatus();
        AddAuditRecord(transaction, {.organization = self->owner_,
                                     .time = self->parts_.clock.Now(),
                                     .principal = "system",
                                     .method = "KeyRotation",
                                     .decision = AuditDecision::kDone,
                                     .object_kind = "key",
                                     .object_name = absl::StrCat(self->newest_number_)});
        return absl::OkStatus();
      },
      [self = shared_from_this()](const absl::StatusOr<Revision>& erased) {
        self->strand_->Run([self, status = erased.status()] {
          if (!status.ok()) return self->Retry(status, &KeyRotationJob::Finish);
          const KeyRotationProgress end = self->progress();
          Log(Severity::kInfo, "key_rotation_done",
              {{"organization", self->owner_},
               {"key", self->newest_number_},
               {"visited", end.visited_count},
               {"moved", end.moved_count}});
          self->ended_();
        });
      });
}

}  // namespace keyferry

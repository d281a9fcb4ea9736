#include "services/api/key_rotation_root.h"

#include <algorithm>
#include <utility>

#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "services/api/audit_trail.h"
#include "services/api/key_rotation_job.h"

namespace keyferry {
namespace {

constexpr char kJob[] = "RewrapKeys";

AuditRow RowOf(const std::shared_ptr<const AuditedCall>& call, absl::Time now) {
  if (call != nullptr) return AuditRowOf(*call, {.kind = "key", .name = "root"}, now);
  return {.time = now,
          .principal = "system",
          .method = kJob,
          .decision = AuditDecision::kDone,
          .object_kind = "key",
          .object_name = "root"};
}

}  // namespace

void RootRewrap::KeepLooking() {
  Look();
  strand_->RunAfter(kRootPollInterval, [self = shared_from_this()] { self->KeepLooking(); });
}

void RootRewrap::Look() {
  if (running_ || recording_count_ > 0) return;
  const absl::StatusOr<std::string> current = parts_.root_keys.CurrentId();
  if (!current.ok()) return Log(Severity::kWarning, "root_key_away", {{"error", current.status()}});
  if (*current == settled_id_) return;
  const absl::StatusOr<std::vector<std::string>> owners = OwnersUnderOthers(*current);
  if (!owners.ok()) return Log(Severity::kWarning, "rewrap_waits", {{"error", owners.status()}});
  root_key_id_ = *current;
  if (owners->empty()) return Settle();
  *current == recorded_id_ ? Plan() : Begin(nullptr, [](const absl::Status&) {});
}

absl::StatusOr<std::vector<std::string>> RootRewrap::OwnersUnderOthers(const std::string& root_key_id) const {
  ASSIGN_OR_RETURN(std::vector<std::string> owners, parts_.barrier.Owners());
  std::vector<std::string> under_others;
  for (std::string& owner : owners) {
    const auto stored = parts_.barrier.StoredKeysOf(owner);
    if (absl::IsNotFound(stored.status())) continue;
    RETURN_IF_ERROR(stored.status());
    const bool settled =
        std::ranges::all_of(stored->first.keys, [&](const WrappedKey& key) { return key.root_key_id == root_key_id; });
    if (!settled) under_others.push_back(std::move(owner));
  }
  return under_others;
}

void RootRewrap::Begin(std::shared_ptr<const AuditedCall> call, std::function<void(absl::Status)> done) {
  ++recording_count_;
  Record(std::move(call), [self = shared_from_this(), done = std::move(done)](const absl::Status& recorded) {
    --self->recording_count_;
    done(recorded);
    if (!recorded.ok()) return Log(Severity::kWarning, "rewrap_waits", {{"error", recorded}});
    FAILPOINT("rewrap.recorded");
    self->round_recorded_ = true;
    self->Plan();
  });
}

// Before anything changes: what is not recorded is not done.
void RootRewrap::Record(std::shared_ptr<const AuditedCall> call, std::function<void(absl::Status)> done) {
  RunTransaction(
      parts_.writer,
      [self = shared_from_this(), call = std::move(call)](Transaction& transaction) {
        AddAuditRecord(transaction, RowOf(call, self->parts_.clock.Now()));
        return absl::OkStatus();
      },
      [self = shared_from_this(), done = std::move(done)](const absl::StatusOr<Revision>& recorded) {
        self->strand_->Run([done, status = recorded.status()] { done(status); });
      });
}

void RootRewrap::Plan() {
  if (running_) return;
  const absl::StatusOr<std::string> current = parts_.root_keys.CurrentId();
  if (!current.ok()) return Log(Severity::kWarning, "root_key_away", {{"error", current.status()}});
  absl::StatusOr<std::vector<std::string>> owners = OwnersUnderOthers(*current);
  if (!owners.ok()) return Log(Severity::kWarning, "rewrap_waits", {{"error", owners.status()}});
  root_key_id_ = *current;
  if (round_recorded_) recorded_id_ = root_key_id_;
  left_ = *std::move(owners);
  running_ = true;
  failed_ = false;
  moved_count_ = 0;
  Log(Severity::kInfo, "rewrap_begun", {{"root_key", root_key_id_}, {"owners", left_.size()}});
  Step();
}

void RootRewrap::Step() {
  if (left_.empty()) return EndRound();
  const std::string owner = std::move(left_.back());
  left_.pop_back();
  const absl::StatusOr<bool> moved = parts_.barrier.Rewrap(owner, parts_.writer.term());
  FAILPOINT("rewrap.owner_moved");
  moved_count_ += moved.ok() && *moved;
  // An organization that was deleted meanwhile is none any more.
  if (!moved.ok() && !absl::IsNotFound(moved.status())) {
    failed_ = true;
    Log(Severity::kError, "rewrap_failed", {{"organization", owner}, {"error", moved.status()}});
    // Without its root key the others would fail alike; the next look begins again.
    if (absl::IsUnavailable(moved.status())) left_.clear();
  }
  strand_->RunAfter(kRewrapInterval, [self = shared_from_this()] { self->Step(); });
}

void RootRewrap::EndRound() {
  running_ = false;
  Log(failed_ ? Severity::kWarning : Severity::kInfo, "rewrap_ended",
      {{"root_key", root_key_id_}, {"moved", moved_count_}, {"complete", !failed_}});
  const bool is_recorded = std::exchange(round_recorded_, false);
  if (!is_recorded && moved_count_ > 0) {
    Record(nullptr, [](const absl::Status& recorded) {
      if (!recorded.ok()) Log(Severity::kError, "rewrap_not_recorded", {{"error", recorded}});
    });
  }
  if (!failed_) Settle();
}

// Until it is purged the next look comes back.
void RootRewrap::Settle() {
  FAILPOINT("rewrap.before_settle");
  const absl::Status purged = PurgeWrappedKeys(parts_.writer.store);
  if (!purged.ok()) return Log(Severity::kWarning, "rewrap_not_purged", {{"error", purged}});
  settled_id_ = root_key_id_;
}

}  // namespace keyferry

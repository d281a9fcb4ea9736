#include "services/api/ack_queue.h"

#include <optional>
#include <set>

#include "libs/common/background_pool.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/storage/commit_here.h"
#include "libs/storage/keys.h"
#include "services/api/region_metrics.h"

namespace keyferry {

struct AckQueue::Batch {
  AckContext context;
  uint64_t epoch = 0;
  std::vector<AckReport> acks;
  std::vector<AckEffect> effects;
  std::vector<absl::Duration> proved_after;

  absl::Status Plan(Transaction& transaction) {
    effects.clear();
    proved_after.clear();
    // Pinned: whoever was granted the region meanwhile, nothing that an older session heard is written after that.
    ASSIGN_OR_RETURN(const auto state, transaction.Get<RegionStateRow>(keys::RegionState(context.region)));
    if (!state || state->value.epoch != epoch) {
      effects.assign(acks.size(), AckEffect::kStale);
      return absl::OkStatus();
    }
    // A row that cannot be read must not hold up the others.
    for (const AckReport& ack : acks) {
      const absl::StatusOr<AckEffect> effect = SettleAck(transaction, context, ack);
      if (!effect.ok()) {
        Log(Severity::kError, "ack_not_settled",
            {{"region", context.region}, {"organization", ack.object.organization}, {"object", ack.object.name}, {"error", effect.status()}});
      }
      effects.push_back(effect.value_or(AckEffect::kUnknown));
    }
    return absl::OkStatus();
  }
};

bool AckQueue::Add(AckReport ack) {
  if (acks_.size() >= kMaxAcksQueued) return false;
  acks_.push_back(std::move(ack));
  return true;
}

void AckQueue::Advance() {
  if (stopped_ || committing_ || acks_.empty()) return;
  const auto batch = std::make_shared<Batch>();
  batch->context = context_();
  batch->context.proved_after = &batch->proved_after;
  batch->epoch = epoch_;
  // A plan does not see its own writes, so no object twice.
  std::set<ObjectId> objects;
  while (!acks_.empty() && batch->acks.size() < kMaxAcksPerCommit && objects.insert(acks_.front().object).second) {
    batch->acks.push_back(std::move(acks_.front()));
    acks_.pop_front();
  }
  committing_ = true;
  FAILPOINT("acks.before_commit");
  const bool few = batch->acks.size() <= kMaxAcksPlannedOnStrand;
  Executor& planner = few ? static_cast<Executor&>(at_once_) : writer_.executor;
  // The strand's thread has nothing better to do than to make this commit, where no other is under way; but others' commits are not to wait for a thread that gives way.
  std::optional<CommitHere> here;
  if (few && !GivesWay()) here.emplace();
  RunTransaction(
      {.store = writer_.store, .executor = planner, .term = writer_.term}, [batch](Transaction& transaction) { return batch->Plan(transaction); },
      [self = shared_from_this(), batch](absl::StatusOr<Revision> committed) {
        self->strand_->Run([self, batch, status = committed.status()] { self->Committed(batch, status); });
      });
}

void AckQueue::Committed(const std::shared_ptr<Batch>& batch, const absl::Status& committed) {
  FAILPOINT("acks.committed");
  committing_ = false;
  if (stopped_) return;
  if (!committed.ok()) {
    // The next Advance tries again: the session's tick sees to it.
    Log(Severity::kWarning, "acks_not_committed", {{"region", batch->context.region}, {"error", committed}});
    acks_.insert(acks_.begin(), batch->acks.begin(), batch->acks.end());
    return;
  }
  for (const absl::Duration after : batch->proved_after) CountReady(batch->context.region, after);
  for (size_t i = 0; i < batch->acks.size() && !stopped_; ++i) settled_(batch->acks[i], batch->effects[i]);
  Advance();
  if (!stopped_) settled_batch_();
}

}  // namespace keyferry

#include "services/api/audit_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace keyferry {
namespace {

AuditRow DropRow(const std::string& organization, int64_t count, absl::Time now) {
  return {.organization = organization,
          .time = now,
          .principal = "system",
          .method = "AuditTrail/Drop",
          .decision = AuditDecision::kDenied,
          .code = "RESOURCE_EXHAUSTED",
          .reason = "AUDIT_RECORDS_DROPPED",
          .object_kind = "auditRecord",
          .object_name = absl::StrCat(count)};
}

}  // namespace

bool AuditQueue::Admits(const AuditRow& row, Chain& chain, absl::Duration now) const {
  const bool is_full = rows_.size() >= limit_;
  if (row.decision != AuditDecision::kDenied) return !is_full;
  const double filled = absl::ToDoubleSeconds(now - std::exchange(chain.filled, now)) * kMaxAuditDenialsPerSecond;
  chain.tokens = std::min<double>(kMaxAuditDenialBurst, chain.tokens + filled);
  if (is_full || chain.waiting_count >= limit_ / kAuditQueueShares || chain.tokens < 1) return false;
  chain.tokens -= 1;
  ++chain.waiting_count;
  return true;
}

bool AuditQueue::Add(AuditRow row) {
  const absl::Duration now = clock_.Monotonic();
  const absl::MutexLock lock(&mutex_);
  Chain& chain = chains_.try_emplace(row.organization, Chain{.filled = now}).first->second;
  if (!Admits(row, chain, now)) {
    ++chain.untold_count;
    ++dropped_;
    return false;
  }
  rows_.push_back(std::move(row));
  return true;
}

bool AuditQueue::IsEmpty() const {
  const absl::MutexLock lock(&mutex_);
  return rows_.empty() &&
         std::ranges::all_of(chains_, [](const auto& chain) { return chain.second.untold_count == 0; });
}

std::vector<AuditRow> AuditQueue::Take(Tell tell) {
  const absl::Duration now = clock_.Monotonic();
  const absl::Time time = clock_.Now();
  const absl::MutexLock lock(&mutex_);
  std::vector<AuditRow> taken = std::exchange(rows_, {});
  for (auto& [organization, chain] : chains_) {
    chain.waiting_count = 0;
    const bool is_due = tell == Tell::kAll || now - chain.told >= kAuditDropInterval;
    if (chain.untold_count == 0 || !is_due) continue;
    taken.push_back(DropRow(organization, std::exchange(chain.untold_count, 0), time));
    chain.told = now;
  }
  // So long after its last refusal its bucket is full.
  constexpr absl::Duration kForgotten = absl::Seconds(kMaxAuditDenialBurst / kMaxAuditDenialsPerSecond);
  std::erase_if(chains_, [&](const auto& chain) {
    return chain.second.untold_count == 0 && now - chain.second.filled >= kForgotten &&
           now - chain.second.told >= kAuditDropInterval;
  });
  return taken;
}

int64_t AuditQueue::dropped_count() const {
  const absl::MutexLock lock(&mutex_);
  return dropped_;
}

}  // namespace keyferry

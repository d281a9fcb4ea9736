#include "services/api/audit_chainer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/model/audit_chain.h"
#include "libs/storage/codec.h"
#include "libs/storage/commit_rules.h"
#include "libs/storage/keys.h"
#include "services/api/audit_scan.h"

namespace keyferry {
namespace {

bool ComesBefore(const KeyedRow& a, const KeyedRow& b) {
  return std::tie(a.row.revision, a.key) < std::tie(b.row.revision, b.key);
}

// Of the key of a waiting row or of a chain's end.
std::string OrganizationOf(const RowKey& row) {
  const std::string& bytes = row.bytes;
  const size_t begin = keys::AuditPendings().bytes.size();
  return bytes.substr(begin, bytes.find('\0', begin) - begin);
}

}  // namespace

SignedAuditHead SignedHeadOf(const SigningKey& key, const std::string& organization, const AuditHeadRow& row,
                             absl::Time now) {
  SignedAuditHead head{.organization = organization, .number = row.number, .hash = row.hash, .time = now};
  Sign(key, head);
  return head;
}

AuditRow DamagedAuditRecord(const std::string& name, absl::Time now) {
  return {.time = now,
          .principal = "system",
          .method = "AuditTrail/Read",
          .decision = AuditDecision::kDone,
          .reason = "AUDIT_RECORD_DAMAGED",
          .object_kind = "auditRecord",
          .object_name = name};
}

absl::StatusOr<int64_t> AuditChainer::ChainPending() {
  // A commit after this one may be missed by a scan that has passed its row, while a later one is seen.
  const Revision newest = writer_.store.Head();
  ReadStandingAgain();
  int64_t chained = 0;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<KeyedRow> pending, ReadPending(newest));
    for (size_t begin = 0; begin < pending.size(); begin += kMaxAuditRecordsPerCommit) {
      const size_t count = std::min(kMaxAuditRecordsPerCommit, pending.size() - begin);
      ASSIGN_OR_RETURN(const int64_t committed, CommitBatch({pending.data() + begin, count}));
      chained += committed;
      GotOn();
    }
    if (pending.size() < kMaxAuditRecordsPerRound) break;
  }
  GotOn();
  return chained;
}

absl::StatusOr<std::vector<KeyedRow>> AuditChainer::ReadPending(Revision newest) {
  std::vector<KeyedRow> first;
  RETURN_IF_ERROR(VisitRowsThatOpen(writer_.store, keys::AuditPendings(), damaged_, [&](KeyedRow&& row) {
    if (row.row.revision > newest || damaged_.contains(row.key) || Stands(OrganizationOf(row.key)))
      return absl::OkStatus();
    if (first.size() == kMaxAuditRecordsPerRound) {
      if (!ComesBefore(row, first.front())) return absl::OkStatus();
      std::pop_heap(first.begin(), first.end(), ComesBefore);
      first.pop_back();
    }
    first.push_back(std::move(row));
    std::push_heap(first.begin(), first.end(), ComesBefore);
    return absl::OkStatus();
  }));
  for (const RowKey& row : damaged_) Damaged(row);
  std::sort_heap(first.begin(), first.end(), ComesBefore);
  return first;
}

absl::StatusOr<int64_t> AuditChainer::CommitBatch(std::span<const KeyedRow> batch) {
  Commit commit{.term = writer_.term()};
  int64_t count = 0;
  std::map<std::string, Chain> chains;
  for (const KeyedRow& pending : batch) {
    absl::StatusOr<AuditRow> decoded = Decode<AuditRow>(pending.row.value);
    if (!decoded.ok()) {
      damaged_.insert(pending.key);
      Damaged(pending.key);
      continue;
    }
    AuditRow& record = *decoded;
    if (Stands(record.organization)) continue;
    auto found = chains.find(record.organization);
    if (found == chains.end()) {
      absl::StatusOr<Chain> chain = ReadChain(record.organization);
      if (absl::IsDataLoss(chain.status())) continue;
      RETURN_IF_ERROR(chain.status());
      found = chains.emplace(record.organization, *std::move(chain)).first;
    }
    ++count;
    AuditHeadRow& head = found->second.head;
    record.number = head.number + 1;
    record.revision = record.decision == AuditDecision::kDenied ? 0 : pending.row.revision;
    record.previous_hash = head.hash;
    record.hash = AuditHashOf(record, head.hash);
    head.number = record.number;
    head.hash = record.hash;
    head.time = record.time;
    commit.mutations.push_back({.key = keys::AuditRecord(record.organization, record.number), .value = Encode(record)});
    commit.mutations.push_back({.key = pending.key, .value = std::nullopt});
  }
  for (auto& [organization, chain] : chains) {
    unsigned_.insert(organization);
    if (SignIfDue(organization, chain.head, Which::kDue)) unsigned_.erase(organization);
    const RowKey key = keys::AuditHead(organization);
    commit.preconditions.push_back({.key = key, .revision = chain.revision});
    commit.mutations.push_back({.key = key, .value = Encode(chain.head)});
  }
  if (commit.mutations.empty()) return 0;
  FAILPOINT_OR_RETURN("audit.chain.before_commit");
  const absl::Status committed = CommitAndWait(writer_.store, std::move(commit)).status();
  FAILPOINT_OR_RETURN("audit.chain.committed");
  // What was signed in it may not be.
  if (!committed.ok()) has_found_unsigned_ = false;
  RETURN_IF_ERROR(committed);
  return count;
}

absl::StatusOr<AuditChainer::Chain> AuditChainer::ReadChain(const std::string& organization) {
  const RowKey key = keys::AuditHead(organization);
  const absl::StatusOr<std::optional<Row>> row = writer_.store.Get(key);
  if (row.ok() && !*row) return Chain{.head = {.hash = AuditChainStart(), .sign_time = absl::UnixEpoch()}};
  absl::StatusOr<AuditHeadRow> head = row.ok() ? Decode<AuditHeadRow>((*row)->value) : row.status();
  if (head.ok()) return Chain{.head = *std::move(head), .revision = (*row)->revision};
  if (absl::IsDataLoss(head.status())) {
    Damaged(key);
    const absl::MutexLock lock(&mutex_);
    standing_.emplace(organization, clock_.Monotonic());
  }
  return head.status();
}

// Somebody may have put an end back.
void AuditChainer::ReadStandingAgain() {
  std::vector<std::string> standing;
  {
    const absl::MutexLock lock(&mutex_);
    for (const auto& [organization, since] : standing_) standing.push_back(organization);
  }
  for (const std::string& organization : standing) {
    if (!ReadChain(organization).ok()) continue;
    const absl::MutexLock lock(&mutex_);
    standing_.erase(organization);
  }
}

bool AuditChainer::Stands(const std::string& organization) const {
  const absl::MutexLock lock(&mutex_);
  return standing_.contains(organization);
}

void AuditChainer::Damaged(const RowKey& row) {
  if (!reported_.insert(row).second) return;
  Log(Severity::kError, "audit_record_damaged", {{"row", Printable(row)}});
  report_(DamagedAuditRecord(Printable(row), clock_.Now()));
}

absl::Duration AuditChainer::Standstill() const {
  const absl::Duration standstill = clock_.Monotonic() - absl::Microseconds(got_on_.load());
  return standstill > kAuditStandstill ? standstill : absl::ZeroDuration();
}

absl::Duration AuditChainer::lag(const std::string& organization) const {
  const absl::MutexLock lock(&mutex_);
  const auto since = standing_.find(organization);
  return since == standing_.end() ? Standstill() : std::max(Standstill(), clock_.Monotonic() - since->second);
}

absl::Duration AuditChainer::lag() const {
  const absl::MutexLock lock(&mutex_);
  absl::Duration lag = Standstill();
  for (const auto& [organization, since] : standing_) lag = std::max(lag, clock_.Monotonic() - since);
  return lag;
}

bool AuditChainer::SignIfDue(const std::string& organization, AuditHeadRow& head, Which which) const {
  if (key_ == nullptr || head.number == head.signed_number) return false;
  const absl::Time now = clock_.Now();
  const bool due = head.number - head.signed_number >= kMaxAuditRecordsUnsigned ||
                   now - head.sign_time >= kAuditSignInterval || now < head.sign_time;
  if (which == Which::kDue && !due) return false;
  head.signature = SignedHeadOf(*key_, organization, head, now).signature;
  head.signed_number = head.number;
  head.signed_hash = head.hash;
  head.sign_time = now;
  return true;
}

absl::Status AuditChainer::SignHeads(Which which) {
  if (key_ == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(FindUnsigned());
  Commit commit{.term = writer_.term()};
  std::vector<std::string> signed_now;
  for (const std::string& organization : unsigned_) {
    absl::StatusOr<Chain> read = ReadChain(organization);
    if (absl::IsDataLoss(read.status())) continue;
    RETURN_IF_ERROR(read.status());
    Chain& chain = *read;
    const bool is_signed = chain.head.number == chain.head.signed_number;
    if (!is_signed && !SignIfDue(organization, chain.head, which)) continue;
    signed_now.push_back(organization);
    if (is_signed) continue;
    const RowKey key = keys::AuditHead(organization);
    commit.preconditions.push_back({.key = key, .revision = chain.revision});
    commit.mutations.push_back({.key = key, .value = Encode(chain.head)});
    if (commit.mutations.size() == kMaxAuditRecordsPerCommit) break;
  }
  const bool may_be_more = commit.mutations.size() == kMaxAuditRecordsPerCommit;
  FAILPOINT_OR_RETURN("audit.sign.before_commit");
  if (!commit.mutations.empty()) RETURN_IF_ERROR(CommitAndWait(writer_.store, std::move(commit)).status());
  for (const std::string& organization : signed_now) unsigned_.erase(organization);
  return may_be_more ? SignHeads(which) : absl::OkStatus();
}

absl::Status AuditChainer::FindUnsigned() {
  if (has_found_unsigned_) return absl::OkStatus();
  std::set<RowKey> damaged;
  RETURN_IF_ERROR(VisitRowsThatOpen(writer_.store, keys::AuditHeads(), damaged, [&](KeyedRow&& row) {
    const absl::StatusOr<AuditHeadRow> head = Decode<AuditHeadRow>(row.row.value);
    if (!head.ok()) damaged.insert(row.key);
    if (head.ok() && head->number != head->signed_number) unsigned_.insert(keys::LastPart(row.key));
    return absl::OkStatus();
  }));
  for (const RowKey& row : damaged) Damaged(row);
  has_found_unsigned_ = true;
  return absl::OkStatus();
}

}  // namespace keyferry

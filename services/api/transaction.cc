#include "services/api/transaction.h"

#include <memory>
#include <random>

#include "libs/common/backoff.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/limits.h"
#include "libs/common/returns_soon.h"
#include "libs/storage/commit_here.h"
#include "services/api/audit_trail.h"

namespace keyferry {
namespace {

constexpr absl::Duration kConflictRetry = absl::Seconds(1);

// Writers of one row must not go on meeting.
absl::Duration ConflictDelay(int conflict_count) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return BackoffDelay(conflict_count, absl::Milliseconds(1), absl::Milliseconds(200),
                      std::uniform_real_distribution<double>(0, 1)(random));
}

absl::Status ConcurrentModification() {
  return MakeError(absl::StatusCode::kAborted,
                   "other writes of the same object kept coming in between and nothing was written; try again",
                   {.reason = "CONCURRENT_MODIFICATION", .retry_after = kConflictRetry});
}

class Run final : public std::enable_shared_from_this<Run> {
 public:
  Run(const Writer& writer, TransactionPlan plan, std::function<void(absl::StatusOr<Revision>)> done)
      : writer_(writer), plan_(std::move(plan)), done_(std::move(done)), call_(CallScope::Current()) {}

  void Attempt() {
    // Whatever follows from it, an answer or a commit, is not the call's.
    const CallScope nobodys(nullptr);
    // Before the plan: what was judged in one lineage must not commit in the next.
    const Term term = writer_.term();
    Transaction transaction(writer_.store);
    if (const absl::Status planned = Plan(transaction); !planned.ok()) {
      return transaction.IsCurrent().value_or(true) ? done_(planned) : Conflict();
    }
    if (!transaction.has_writes()) return done_(writer_.store.Head());
    if (const absl::Status admitted = Record(transaction); !admitted.ok()) return done_(admitted);
    FAILPOINT("transaction.before_commit");
    // A call's body has a thread that may wait, and is at its end; what comes after a conflict runs on the executor.
    std::optional<CommitHere> here;
    std::optional<ReturnsSoon> soon;
    if (call_ != nullptr && conflict_count_ == 0) {
      here.emplace();
      soon.emplace();
    }
    writer_.store.CommitAsync(
        std::move(transaction).TakeCommit(term),
        [self = shared_from_this()](absl::StatusOr<Revision> committed) { self->Committed(std::move(committed)); });
  }

 private:
  // What it desires of a region names the call's request id. Only the plan: what follows it is another commit's business.
  absl::Status Plan(Transaction& transaction) const {
    const CallScope scope(call_);
    return plan_(transaction);
  }

  // Invariant A1.
  absl::Status Record(Transaction& transaction) const {
    if (call_ == nullptr) return absl::OkStatus();
    AuditRow row = AuditRowOf(*call_, transaction.described().value_or(AuditedObject{}), call_->time);
    if (call_->trail != nullptr) RETURN_IF_ERROR(call_->trail->CheckAdmits(row.organization));
    AddAuditRecord(transaction, std::move(row));
    return absl::OkStatus();
  }

  void Committed(absl::StatusOr<Revision> committed) {
    FAILPOINT("transaction.committed");
    absl::IsAborted(committed.status()) ? Conflict() : done_(std::move(committed));
  }

  void Conflict() {
    if (++conflict_count_ == kMaxCommitAttempts) return done_(ConcurrentModification());
    writer_.executor.RunAfter(ConflictDelay(conflict_count_), [self = shared_from_this()] { self->Attempt(); });
  }

  const Writer writer_;
  const TransactionPlan plan_;
  const std::function<void(absl::StatusOr<Revision>)> done_;
  const std::shared_ptr<const AuditedCall> call_;
  int conflict_count_ = 0;
};

}  // namespace

absl::StatusOr<std::optional<Row>> Transaction::Read(const RowKey& key) {
  if (const auto read = reads_.find(key); read != reads_.end()) return read->second;
  ASSIGN_OR_RETURN(std::optional<Row> row, store_.Get(key));
  return reads_.emplace(key, std::move(row)).first->second;
}

void Transaction::Put(const RowKey& key, std::string value) {
  writes_.insert_or_assign(key, Mutation{.key = key, .value = std::move(value)});
}

void Transaction::PutStamped(const RowKey& key, size_t revision_offset, std::string value) {
  writes_.insert_or_assign(key, Mutation{.key = key, .value = std::move(value), .revision_offset = revision_offset});
}

void Transaction::Erase(const RowKey& key) {
  writes_.insert_or_assign(key, Mutation{.key = key, .value = std::nullopt});
}

absl::StatusOr<bool> Transaction::IsCurrent() const {
  for (const auto& [key, read] : reads_) {
    ASSIGN_OR_RETURN(const std::optional<Row> now, store_.Get(key));
    if (now.has_value() != read.has_value() || (now && now->revision != read->revision)) return false;
  }
  return true;
}

Commit Transaction::TakeCommit(Term term) && {
  Commit commit{.term = term};
  commit.preconditions.reserve(reads_.size());
  while (!reads_.empty()) {
    auto read = reads_.extract(reads_.begin());
    commit.preconditions.push_back({.key = std::move(read.key()), .revision = read.mapped() ? read.mapped()->revision : 0});
  }
  commit.mutations.reserve(writes_.size());
  for (auto& [key, mutation] : writes_) commit.mutations.push_back(std::move(mutation));
  return commit;
}

void RunTransaction(const Writer& writer, TransactionPlan plan, std::function<void(absl::StatusOr<Revision>)> done) {
  auto run = std::make_shared<Run>(writer, std::move(plan), std::move(done));
  // A call's body has a thread of the executor already.
  if (CallScope::Current() != nullptr) return run->Attempt();
  writer.executor.Run([run] { run->Attempt(); });
}

}  // namespace keyferry

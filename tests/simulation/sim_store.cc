#include "tests/simulation/sim_store.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/storage/commit_rules.h"

namespace keyferry {
namespace {

constexpr size_t kMaxBatch = 32;
constexpr size_t kMaxBeside = 3;
constexpr double kBesideShare = 0.3;
constexpr double kBusyShare = 0.002;
constexpr double kForgottenShare = 0.02;
constexpr double kLateHeadShare = 0.2;
constexpr absl::Duration kMaxHeadLag = absl::Seconds(2);
// Until then the world is being made.
constexpr absl::Duration kLateHeadFrom = absl::Seconds(5);

absl::Status Full(const char* reason, const char* message) {
  return MakeError(absl::StatusCode::kResourceExhausted, message, {.reason = reason, .retry_after = absl::Seconds(1)});
}

}  // namespace

absl::StatusOr<Term> SimStore::AcquireWriter(Lineage lineage) {
  SyncAll();
  SimDisk& disk = options_.disk;
  ++disk.term;
  if (lineage == Lineage::kNext) disk.head = WithLineage(disk.head, LineageOf(disk.head) + 1);
  head_ = disk.head;
  return Term{.number = disk.term, .lineage = LineageOf(disk.head)};
}

absl::StatusOr<std::optional<Row>> SimStore::Get(const RowKey& key) const {
  const auto found = options_.disk.rows.find(key);
  if (found == options_.disk.rows.end()) return std::nullopt;
  Row row = found->second;
  if (const auto older = older_.find(key); options_.bug == Bug::kStaleRead && older != older_.end())
    row.value = older->second;
  return row;
}

absl::StatusOr<std::vector<KeyedRow>> SimStore::Scan(const RowKey& begin, const std::string& end, size_t limit) const {
  std::vector<KeyedRow> found;
  const std::map<RowKey, Row>& rows = options_.disk.rows;
  for (auto row = rows.lower_bound(begin); row != rows.end() && found.size() < limit; ++row) {
    if (row->first.family != begin.family || (!end.empty() && row->first.bytes >= end)) break;
    found.push_back({row->first, row->second});
  }
  return found;
}

std::optional<Revision> SimStore::RevisionInMemory(const RowKey& key) const {
  if (options_.process.scheduler().random().Chance(kForgottenShare)) return std::nullopt;
  const auto found = options_.disk.rows.find(key);
  return found == options_.disk.rows.end() ? 0 : found->second.revision;
}

void SimStore::CommitAsync(Commit commit, CommitDone done) {
  // Who waits for an answer must not wait for ever.
  if (!options_.process.alive() && blocking_ > 0) throw ProcessEnded();
  if (!options_.process.alive()) return;
  if (blocking_ == 0) {
    queue_.push_back({std::move(commit), std::move(done)});
    return BeginBatchSoon();
  }
  Scheduler& scheduler = options_.process.scheduler();
  if (scheduler.random().Chance(kBesideShare)) {
    const int blocked = std::exchange(blocking_, 0);
    scheduler.RunBeside(options_.process, 1 + scheduler.random().Draw(kMaxBeside));
    blocking_ = blocked;
    if (!options_.process.alive()) throw ProcessEnded();
  }
  queue_.push_back({std::move(commit), std::move(done)});
  SyncAll();
  AnswerAll();
}

void SimStore::BeginBatchSoon() {
  if (std::exchange(begun_, true)) return;
  options_.process.Run([this] { BeginBatch(); });
}

void SimStore::BeginBatch() {
  if (!batch_.empty()) return;
  if (queue_.empty()) {
    begun_ = false;
    return;
  }
  batch_head_ = options_.disk.head;
  while (!queue_.empty() && batch_.size() < kMaxBatch) {
    Request request = std::move(queue_.front());
    queue_.pop_front();
    batch_.push_back(Stage(std::move(request)));
  }
  const uint64_t number = ++batch_number_;
  Scheduler& scheduler = options_.process.scheduler();
  if (options_.bug == Bug::kAnswerBeforeSync) {
    for (const Staged& staged : batch_) Keep(staged);
    std::move(batch_.begin(), batch_.end(), std::back_inserter(answers_));
    batch_.assign(1, Staged());
    AnswerAll();
  }
  if (SlowNow()) ++options_.faults[static_cast<size_t>(Fault::kSlowSync)];
  const absl::Duration delay = SlowNow() ? scheduler.random().Between(absl::Milliseconds(200), absl::Seconds(4))
                                         : scheduler.random().Between(absl::Microseconds(200), absl::Milliseconds(3));
  scheduler.After(delay, &options_.process, [this, number] { EndBatch(number); });
}

void SimStore::EndBatch(uint64_t number) {
  if (number != batch_number_ || batch_.empty()) return;
  if (std::exchange(options_.weather.error, false)) {
    ++options_.faults[static_cast<size_t>(Fault::kDiskError)];
    return options_.on_error();
  }
  undo_.clear();
  for (Staged& staged : batch_) {
    if (!staged.done) continue;
    Keep(staged);
    answers_.push_back(std::move(staged));
  }
  batch_.clear();
  overlay_.clear();
  Scheduler& scheduler = options_.process.scheduler();
  const auto finish = [this] {
    AnswerAll();
    begun_ = !queue_.empty();
    if (begun_) BeginBatch();
  };
  if (scheduler.now() < kLateHeadFrom || !scheduler.random().Chance(kLateHeadShare)) return options_.process.Run(finish);
  ++options_.faults[static_cast<size_t>(Fault::kLateHead)];
  scheduler.After(scheduler.random().Between(absl::ZeroDuration(), kMaxHeadLag), &options_.process, finish);
}

// Whatever is under way or waits, now.
void SimStore::SyncAll() {
  while (!batch_.empty() || !queue_.empty()) {
    if (batch_.empty()) {
      begun_ = true;
      BeginBatch();
    }
    options_.weather.error = false;
    EndBatch(batch_number_);
  }
}

void SimStore::Keep(const Staged& staged) {
  if (!staged.result.ok()) return;
  std::map<RowKey, Row>& rows = options_.disk.rows;
  for (const auto& [key, row] : staged.effects) {
    const auto before = rows.find(key);
    if (options_.bug == Bug::kAnswerBeforeSync)
      undo_.emplace_back(key, before == rows.end() ? std::nullopt : std::optional(before->second));
    if (options_.bug == Bug::kStaleRead && key.family == Family::kSets && before != rows.end())
      older_[key] = before->second.value;
    if (row) {
      rows[key] = *row;
    } else {
      rows.erase(key);
      older_.erase(key);
    }
  }
  options_.disk.head = staged.revision;
  options_.on_commit(staged.written, staged.revision);
}

void SimStore::AnswerAll() {
  if (std::exchange(answering_, true)) return;
  head_ = options_.disk.head;
  while (!answers_.empty() && options_.process.alive()) {
    const Staged answer = std::move(answers_.front());
    answers_.pop_front();
    answer.done(answer.result);
    if (answer.result.ok()) rings_.RingFor(answer.written);
  }
  answering_ = false;
}

absl::Status SimStore::Check(const Commit& commit) const {
  if (absl::Status form = CheckForm(commit); !form.ok()) return form;
  if (commit.term.number != options_.disk.term) return StaleTerm(commit.term.number, options_.disk.term);
  Scheduler& scheduler = options_.process.scheduler();
  if (scheduler.now() < options_.weather.full_until) {
    ++options_.faults[static_cast<size_t>(Fault::kDiskFull)];
    return Full("DISK_FULL", "the simulated disk is full");
  }
  if (options_.weather.full_until > absl::ZeroDuration() && scheduler.random().Chance(kBusyShare)) {
    ++options_.faults[static_cast<size_t>(Fault::kStoreBusy)];
    return Full("STORE_BUSY", "the simulated store is busy");
  }
  if (options_.bug == Bug::kNoPreconditions) return absl::OkStatus();
  for (const Precondition& precondition : commit.preconditions) {
    if (RevisionOf(precondition.key) != precondition.revision) return Conflict(precondition.key);
  }
  return absl::OkStatus();
}

Revision SimStore::RevisionOf(const RowKey& key) const {
  if (const auto over = overlay_.find(key); over != overlay_.end()) return over->second ? over->second->revision : 0;
  const auto row = options_.disk.rows.find(key);
  return row == options_.disk.rows.end() ? 0 : row->second.revision;
}

SimStore::Staged SimStore::Stage(Request request) {
  Staged staged{.done = std::move(request.done)};
  const Commit& commit = request.commit;
  if (absl::Status refused = Check(commit); !refused.ok()) {
    staged.result = refused;
    return staged;
  }
  staged.revision = ++batch_head_;
  staged.result = staged.revision;
  for (const Mutation& mutation : commit.mutations) {
    RowKey key = StampedKey(mutation, staged.revision);
    if (options_.bug == Bug::kNoAuditRecord && key.family == Family::kAudit && staged.revision % 8 == 0) continue;
    if (!mutation.keep_revision) staged.written.push_back(key);
    std::optional<Row> row;
    if (mutation.value) row = Row{*mutation.value, RevisionAfter(commit, mutation, staged.revision)};
    overlay_[key] = row;
    staged.effects.emplace_back(std::move(key), std::move(row));
  }
  return staged;
}

void SimStore::End(double kept_share) {
  for (auto row = undo_.rbegin(); row != undo_.rend(); ++row) {
    if (row->second) {
      options_.disk.rows[row->first] = *row->second;
    } else {
      options_.disk.rows.erase(row->first);
    }
  }
  size_t written = 0;
  for (const Staged& staged : batch_) written += staged.done && staged.result.ok();
  size_t kept = static_cast<size_t>(std::lround(static_cast<double>(written) * kept_share));
  if (kept < written) ++options_.faults[static_cast<size_t>(Fault::kUnsyncedDropped)];
  if (kept > 0) ++options_.faults[static_cast<size_t>(Fault::kTornTail)];
  for (const Staged& staged : batch_) {
    if (!staged.done || !staged.result.ok()) continue;
    if (kept-- == 0) break;
    Keep(staged);
  }
  batch_.clear();
  queue_.clear();
}

}  // namespace keyferry

#include "services/api/backups.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/backoff.h"
#include "libs/common/background_pool.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/storage/codec.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

// The wall clock may be set at any time.
constexpr absl::Duration kClockCheck = absl::Seconds(1);
// The clock may be set back a little.
constexpr absl::Duration kClockSlack = absl::Minutes(1);
constexpr size_t kPageRows = 1000;

double Random0To1() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(random);
}

absl::Status BackupRuns() {
  return MakeError(absl::StatusCode::kAborted, "a backup is being made; try again when it is done",
                   {.reason = "BACKUP_RUNS", .retry_after = absl::Seconds(5)});
}

absl::Status Stopping() {
  return MakeError(absl::StatusCode::kUnavailable, "the API stops; no backup was made",
                   {.reason = "DRAINING", .retry_after = absl::Seconds(5)});
}

// Rows of keys are not sealed: the root wrapped them.
absl::StatusOr<std::set<std::string>> RootKeyIds(const Store& store) {
  std::set<std::string> ids;
  for (RowKey begin{Family::kKeys, ""};;) {
    ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, store.Scan(begin, "", kPageRows));
    for (const KeyedRow& row : rows) {
      ASSIGN_OR_RETURN(const WrappedKeysRow keys, Decode<WrappedKeysRow>(row.row.value));
      for (const WrappedKey& key : keys.keys) ids.insert(key.root_key_id);
    }
    if (rows.size() < kPageRows) return ids;
    begin.bytes = rows.back().key.bytes + '\0';
  }
}

absl::Status RemoveTree(const std::string& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  return error ? absl::UnavailableError(absl::StrCat("cannot remove ", directory, ": ", error.message()))
               : absl::OkStatus();
}

class ScheduledBackups final : public Backups {
 public:
  explicit ScheduledBackups(BackupsOptions options)
      : options_(std::move(options)),
        repository_(WithPause(options_.repository)),
        last_attempt_(options_.clock.Now()),
        jitter_(Random0To1()) {
    if (const absl::Status swept = SweepCheckpoint(); !swept.ok())
      Log(Severity::kError, "backup_sweep_failed", {{"error", swept}});
    if (const auto list = repository_.List(); list.ok() && !list->backups.empty())
      newest_ = list->backups[0].create_time;
    thread_ = std::thread([this] { Run(); });
  }

  ~ScheduledBackups() override { Stop(); }

  void Stop() override {
    {
      absl::MutexLock lock(&mutex_);
      ending_ = true;
    }
    if (thread_.joinable()) thread_.join();
    absl::ReleasableMutexLock lock(&mutex_);
    const Done waiting = std::exchange(wanted_, nullptr);
    lock.Release();
    if (waiting) waiting(Stopping());
  }

  void Create(Done done) override {
    absl::MutexLock lock(&mutex_);
    if (!running_ && !wanted_ && !ending_) {
      wanted_ = std::move(done);
      return;
    }
    const absl::Status refused = ending_ ? Stopping() : BackupRuns();
    mutex_.Unlock();
    done(refused);
    mutex_.Lock();
  }

  absl::StatusOr<BackupStatus> Status() const override {
    ASSIGN_OR_RETURN(BackupList list, repository_.List());
    BackupStatus status{.backups = std::move(list.backups)};
    absl::MutexLock lock(&mutex_);
    if (options_.interval != absl::ZeroDuration()) status.next_time = Due();
    if (!last_problem_.ok()) status.last_problem = std::string(last_problem_.message());
    if (status.last_problem.empty() && !list.problems.empty())
      status.last_problem = std::string(list.problems[0].message());
    if (status.last_problem.empty()) status.last_problem = FutureProblem(status.backups);
    return status;
  }

 private:
  BackupRepositoryOptions WithPause(BackupRepositoryOptions options) {
    options.before_step = [this, inner = std::move(options.before_step)](std::string_view step) -> absl::Status {
      {
        absl::MutexLock lock(&mutex_);
        if (ending_) return Stopping();
      }
      return inner ? inner(step) : absl::OkStatus();
    };
    return options;
  }

  // Empty: none is of the future.
  std::string FutureProblem(const std::vector<BackupManifest>& backups) const {
    const absl::Time now = options_.clock.Now();
    for (const BackupManifest& backup : backups) {
      if (backup.create_time <= now + kClockSlack) continue;
      return absl::StrCat("backup ", backup.name, " is of the future: the clock was ahead, or is behind; it is ",
                          absl::FormatTime(now, absl::UTCTimeZone()), " by it");
    }
    return "";
  }

  absl::Time Due() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return NextBackupTime(options_.interval, newest_, failure_count_, last_attempt_, jitter_);
  }

  // The clock was ahead, or was set back.
  void KeepTimesInThePast() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::Time now = options_.clock.Now();
    if (newest_) newest_ = std::min(*newest_, now);
    last_attempt_ = std::min(last_attempt_, now);
  }

  void Run() {
    GiveWay();
    const auto called = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_ || wanted_ != nullptr; };
    absl::MutexLock lock(&mutex_);
    while (true) {
      mutex_.AwaitWithTimeout(absl::Condition(&called),
                              options_.interval == absl::ZeroDuration() ? absl::InfiniteDuration() : kClockCheck);
      if (ending_) return;
      KeepTimesInThePast();
      const bool due = options_.interval != absl::ZeroDuration() && options_.clock.Now() >= Due();
      if (!wanted_ && !due) continue;
      const Done done = std::exchange(wanted_, nullptr);
      running_ = true;
      mutex_.Unlock();
      const absl::StatusOr<BackupManifest> made = MakeOne();
      mutex_.Lock();
      Settle(made);
      mutex_.Unlock();
      if (done) done(made);
      mutex_.Lock();
    }
  }

  void Settle(const absl::StatusOr<BackupManifest>& made) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    running_ = false;
    last_attempt_ = options_.clock.Now();
    last_problem_ = !made.ok() ? made.status() : !ledger_problem_.ok() ? ledger_problem_ : prune_problem_;
    jitter_ = Random0To1();
    failure_count_ = made.ok() ? 0 : failure_count_ + 1;
    if (made.ok()) newest_ = made->create_time;
  }

  absl::StatusOr<BackupManifest> MakeOne() {
    const absl::Duration begin = options_.clock.Monotonic();
    const absl::StatusOr<BackupList> before = repository_.List();
    absl::StatusOr<BackupManifest> made = Copy();
    if (const absl::Status swept = SweepCheckpoint(); made.ok() && !swept.ok()) made = swept;
    const int64_t millis = absl::ToInt64Milliseconds(options_.clock.Monotonic() - begin);
    if (!made.ok()) {
      Log(Severity::kError, "backup_failed", {{"error", made.status()}, {"duration_ms", millis}});
      return made;
    }
    Log(Severity::kInfo, "backup",
        {{"name", made->name},
         {"total_bytes", made->total_bytes},
         {"new_bytes", made->new_bytes},
         {"duration_ms", millis}});
    // The backup is there, whatever becomes of older ones.
    prune_problem_ = Prune(before);
    if (!prune_problem_.ok()) Log(Severity::kError, "backup_prune_failed", {{"error", prune_problem_}});
    return made;
  }

  // `before`: what there was before the newest was made.
  absl::Status Prune(const absl::StatusOr<BackupList>& before) const {
    RETURN_IF_ERROR(before.status());
    const absl::Time now = options_.clock.Now();
    if (!before->backups.empty()) {
      const BackupManifest& newest = before->backups[0];
      if (now < newest.create_time || now - newest.create_time > options_.interval + options_.retention) {
        return absl::FailedPreconditionError(
            absl::StrCat("backup ", newest.name, ", the newest before this one, is of another time than the clock's, ",
                         absl::FormatTime(now, absl::UTCTimeZone()),
                         ": if the clock is right nothing is to be done, else set it right; no backup expired this time"));
      }
    }
    return repository_.Prune(now - options_.retention);
  }

  absl::StatusOr<BackupManifest> Copy() {
    RETURN_IF_ERROR(SweepCheckpoint());
    BackupFacts facts{.create_time = options_.clock.Now()};
    // Before the copy: what it then lacks, the copy has.
    if (options_.ledger) {
      const absl::StatusOr<LedgerPosition> position = options_.ledger();
      if (position.ok()) facts.ledger = *position;
      ledger_problem_ = position.status();
    }
    facts.revision = options_.store.Head();
    // What is wrapped anew meanwhile is in the copy by one of the two.
    ASSIGN_OR_RETURN(facts.root_key_ids, RootKeyIds(options_.store));
    RETURN_IF_ERROR(options_.store.Backup(options_.checkpoint_directory));
    ASSIGN_OR_RETURN(std::set<std::string> later, RootKeyIds(options_.store));
    facts.root_key_ids.merge(later);
    return repository_.Write(options_.checkpoint_directory, facts);
  }

  absl::Status SweepCheckpoint() const {
    RETURN_IF_ERROR(RemoveTree(options_.checkpoint_directory + ".unfinished"));
    return RemoveTree(options_.checkpoint_directory);
  }

  const BackupsOptions options_;
  mutable absl::Mutex mutex_;
  const BackupRepository repository_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  // Who waits for one on demand.
  Done wanted_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Time> newest_ ABSL_GUARDED_BY(mutex_);
  int failure_count_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_attempt_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_problem_ ABSL_GUARDED_BY(mutex_);
  double jitter_ ABSL_GUARDED_BY(mutex_);
  // Of the backup's thread.
  absl::Status ledger_problem_;
  absl::Status prune_problem_;
  std::thread thread_;
};

}  // namespace

absl::Time NextBackupTime(absl::Duration interval, std::optional<absl::Time> newest, int failure_count,
                          absl::Time last_attempt, double random_0_to_1) {
  const absl::Duration jitter = interval / 10 * random_0_to_1;
  if (failure_count > 0) {
    const absl::Duration longest = std::min(interval, kMaxBackupRetry);
    const absl::Duration backoff = BackoffDelay(failure_count - 1, kMinBackupRetry, longest, random_0_to_1);
    return last_attempt + std::min(longest, std::max(backoff, kMinBackupRetry));
  }
  if (!newest) return last_attempt + std::min(jitter, absl::Minutes(1));
  return *newest + interval + jitter;
}

std::unique_ptr<Backups> Backups::Start(BackupsOptions options) {
  return std::make_unique<ScheduledBackups>(std::move(options));
}

}  // namespace keyferry

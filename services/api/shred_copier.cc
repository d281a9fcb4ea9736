#include "services/api/shred_copier.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

// Rows that are read, and appended, at a time.
constexpr size_t kPageRows = 1000;

absl::StatusOr<ShredRecord> RecordOf(const KeyedRow& row) {
  ASSIGN_OR_RETURN(const ShredRow shred, Decode<ShredRow>(row.row.value));
  // Tag, organization uid, set uid.
  const std::vector<std::string> parts = absl::StrSplit(row.key.bytes, '\0');
  if (parts.size() != 3) return absl::DataLossError("the key of a shred row has not three parts");
  return ShredRecord{.organization_uid = parts[1],
                     .organization = shred.organization,
                     .set_uid = parts[2],
                     .set = shred.set,
                     .time = shred.delete_time,
                     .revision = row.row.revision};
}

struct Found {
  std::vector<ShredRecord> records;
  // In the ledger already, and shredded: these rows have done their work.
  std::vector<Precondition> finished;
};

// Commits up to `head` alone: those behind it may be seen in part.
absl::StatusOr<Found> FindNew(const Store& store, Revision last, Revision head) {
  Found found;
  RowKey begin = keys::Shreds();
  const std::string end = PrefixEnd(begin.bytes);
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, store.Scan(begin, end, kPageRows));
    for (const KeyedRow& row : rows) {
      if (row.row.revision > head) continue;
      if (row.row.revision > last) {
        ASSIGN_OR_RETURN(ShredRecord record, RecordOf(row));
        found.records.push_back(std::move(record));
        continue;
      }
      ASSIGN_OR_RETURN(const ShredRow shred, Decode<ShredRow>(row.row.value));
      if (shred.shred_time != absl::InfiniteFuture()) found.finished.push_back({row.key, row.row.revision});
    }
    if (rows.size() < kPageRows) break;
    begin.bytes = rows.back().key.bytes + '\0';
  }
  std::ranges::stable_sort(found.records, {}, &ShredRecord::revision);
  return found;
}

class RingingCopier final : public ShredCopier {
 public:
  RingingCopier(const Writer& writer, const Clock& clock, std::string path, FindBackupKeys keys)
      : writer_(writer), clock_(clock), path_(std::move(path)), keys_(std::move(keys)) {
    const RowKey begin = keys::Shreds();
    ring_ = writer_.store.Ring(begin, PrefixEnd(begin.bytes), [this] { Schedule(absl::ZeroDuration()); });
    Schedule(absl::ZeroDuration());
  }

  ~RingingCopier() override {
    ring_.reset();
    absl::MutexLock lock(&life_->mutex);
    life_->ended = true;
  }

  absl::StatusOr<LedgerPosition> CopyNow() override {
    absl::MutexLock lock(&mutex_);
    const absl::Status copied = Copy();
    if (copied != problem_) Log(copied.ok() ? Severity::kInfo : Severity::kError, "shred_ledger", {{"status", copied}});
    problem_ = copied;
    RETURN_IF_ERROR(copied);
    return ledger_->position();
  }

  absl::Status problem() const override {
    absl::MutexLock lock(&mutex_);
    return problem_;
  }

 private:
  void Schedule(absl::Duration delay) {
    if (scheduled_.exchange(true)) return;
    auto copy = [this, life = life_] {
      absl::MutexLock lock(&life->mutex);
      if (life->ended) return;
      scheduled_ = false;
      if (!CopyNow().ok()) Schedule(kShredCopyRetry);
    };
    delay == absl::ZeroDuration() ? writer_.executor.Run(std::move(copy))
                                  : writer_.executor.RunAfter(delay, std::move(copy));
  }

  absl::Status Copy() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ledger_ == nullptr) {
      ASSIGN_OR_RETURN(ledger_, ShredLedger::Open(path_, keys_));
    }
    const Revision head = writer_.store.Head();
    const uint64_t lineage = writer_.term().lineage;
    if (ledger_->newest_lineage() > lineage || ledger_->last_delete() > head) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the shred ledger ", path_, " is ahead of this store: it knows lineage ", ledger_->newest_lineage(),
          " and a delete of revision ", ledger_->last_delete(), ", the store is at ", lineage, " and ", head,
          ". It is another store's, or an older copy of the data directory was put in place: restore a backup instead "
          "(keyferry admin restore), or give this API a ledger of its own with --shred-ledger. Nothing is recorded "
          "meanwhile"));
    }
    ASSIGN_OR_RETURN(Found found, FindNew(writer_.store, ledger_->last_delete(), head));
    if (lineage > ledger_->newest_lineage())
      found.records.push_back({.time = clock_.Now(), .revision = WithLineage(head, lineage)});
    RETURN_IF_ERROR(ledger_->Append(found.records));
    FAILPOINT_OR_RETURN("shred.ledger.appended");
    return Forget(std::move(found.finished));
  }

  absl::Status Forget(std::vector<Precondition> finished) {
    for (Precondition& row : finished) {
      Commit commit{.term = writer_.term()};
      commit.mutations.push_back({.key = row.key});
      commit.preconditions.push_back(std::move(row));
      const absl::Status erased = CommitAndWait(writer_.store, std::move(commit)).status();
      // Somebody changed it meanwhile.
      if (!absl::IsAborted(erased)) RETURN_IF_ERROR(erased);
    }
    return absl::OkStatus();
  }

  // Work that the executor still has may come after the end.
  struct Life {
    absl::Mutex mutex;
    bool ended ABSL_GUARDED_BY(mutex) = false;
  };

  const std::shared_ptr<Life> life_ = std::make_shared<Life>();
  const Writer writer_;
  const Clock& clock_;
  const std::string path_;
  const FindBackupKeys keys_;
  mutable absl::Mutex mutex_;
  std::unique_ptr<ShredLedger> ledger_ ABSL_GUARDED_BY(mutex_);
  absl::Status problem_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> scheduled_ = false;
  std::unique_ptr<Store::Subscription> ring_;
};

}  // namespace

std::unique_ptr<ShredCopier> ShredCopier::Start(const Writer& writer, const Clock& clock, std::string ledger_path,
                                                FindBackupKeys keys) {
  return std::make_unique<RingingCopier>(writer, clock, std::move(ledger_path), std::move(keys));
}

}  // namespace keyferry

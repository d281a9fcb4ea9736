#include "services/api/shredder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/storage/keys.h"
#include "services/api/audit_trail.h"
#include "services/api/organization_rows.h"
#include "services/api/paging.h"

namespace keyferry {
namespace {

struct Due {
  RowKey key;
  Revision revision = 0;
  ShredRow row;
  std::string organization_uid;
  std::string set_uid;
};

absl::StatusOr<Due> DueOf(const KeyedRow& stored) {
  // Tag, organization uid, set uid.
  const std::vector<std::string> parts = absl::StrSplit(stored.key.bytes, '\0');
  if (parts.size() != 3) return absl::DataLossError("the key of a shred row has not three parts");
  Due due{.key = stored.key, .revision = stored.row.revision, .organization_uid = parts[1], .set_uid = parts[2]};
  ASSIGN_OR_RETURN(due.row, Decode<ShredRow>(stored.row.value));
  return due;
}

// Its rows are all erased.
absl::StatusOr<bool> IsGone(const Store& store, const Due& due) {
  if (!due.set_uid.empty()) return true;
  ASSIGN_OR_RETURN(const std::optional<Row> row, store.Get(keys::Organization(due.row.organization)));
  if (!row) return true;
  ASSIGN_OR_RETURN(const OrganizationRow organization, Decode<OrganizationRow>(row->value));
  return organization.uid != due.organization_uid;
}

std::vector<KeyRange> RangesOf(const Due& due) {
  const std::string& organization = due.row.organization;
  // A deployment has copies of its sets' values; one that was replaced or deleted before is not in a row any more either.
  if (!due.set_uid.empty()) {
    return {RangeOf(keys::SecretSet(organization, due.row.set)), RangeBelow(keys::Generations(organization, due.set_uid)),
            RangeBelow(keys::Deployments(organization))};
  }
  std::vector<KeyRange> ranges = OwnedRanges(organization);
  ranges.push_back(RangeOf(keys::WrappedKey(organization)));
  // Its own row and its API keys, among others'.
  ranges.push_back({{Family::kMeta, ""}, ""});
  return ranges;
}

// Each once; many of one family as one that spans them: each is a compaction of every table that it touches.
std::vector<KeyRange> Merged(std::vector<KeyRange> ranges) {
  std::map<Family, std::map<RowKey, std::string>> by_family;
  for (KeyRange& range : ranges) by_family[range.begin.family].insert_or_assign(std::move(range.begin), std::move(range.end));
  std::vector<KeyRange> merged;
  for (const auto& [family, of_family] : by_family) {
    if (of_family.size() <= kMaxPurgedRanges) {
      for (const auto& [begin, end] : of_family) merged.push_back({begin, end});
      continue;
    }
    KeyRange span{of_family.begin()->first, of_family.begin()->second};
    for (const auto& [begin, end] : of_family) span.end = end.empty() || span.end.empty() ? "" : std::max(span.end, end);
    merged.push_back(std::move(span));
  }
  return merged;
}

class PurgingShredder final : public Shredder {
 public:
  explicit PurgingShredder(ShredderOptions options) : options_(std::move(options)), thread_([this] { Work(); }) {}

  ~PurgingShredder() override {
    {
      absl::MutexLock lock(&life_mutex_);
      ended_ = true;
    }
    thread_.join();
  }

  absl::StatusOr<int> ShredNow() override {
    absl::MutexLock lock(&round_mutex_);
    std::vector<Precondition> old;
    ASSIGN_OR_RETURN(const std::vector<Due> due, FindDue(old));
    RETURN_IF_ERROR(Drop(std::move(old)));
    if (due.empty()) return 0;
    std::vector<KeyRange> ranges;
    for (const Due& each : due) {
      for (KeyRange& range : RangesOf(each)) ranges.push_back(std::move(range));
    }
    FAILPOINT_OR_RETURN("shredder.before_purge");
    RETURN_IF_ERROR(options_.writer.store.Purge(Merged(std::move(ranges))));
    FAILPOINT_OR_RETURN("shredder.purged");
    RETURN_IF_ERROR(CheckNoCopies());
    for (const Due& each : due) RETURN_IF_ERROR(Record(each));
    FAILPOINT_OR_RETURN("shredder.recorded");
    Log(Severity::kInfo, "shredded", {{"count", due.size()}});
    return static_cast<int>(due.size());
  }

 private:
  void Work() {
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(life_mutex_) { return ended_; };
    while (true) {
      {
        absl::MutexLock lock(&life_mutex_);
        if (life_mutex_.AwaitWithTimeout(absl::Condition(&ended), options_.interval)) return;
      }
      const absl::StatusOr<int> shredded = ShredNow();
      if (!shredded.ok()) Log(Severity::kWarning, "shredding_waits", {{"error", shredded.status()}});
    }
  }

  absl::StatusOr<std::vector<Due>> FindDue(std::vector<Precondition>& old) const {
    const absl::Time now = options_.clock.Now();
    std::vector<Due> found;
    RETURN_IF_ERROR(VisitRows(options_.writer.store, keys::Shreds(), "", [&](const KeyedRow& stored) -> absl::StatusOr<bool> {
      ASSIGN_OR_RETURN(Due due, DueOf(stored));
      if (due.row.shred_time != absl::InfiniteFuture()) {
        if (now - due.row.shred_time > options_.forget_after && old.size() < kMaxShredsPerRound) old.push_back({due.key, due.revision});
        return true;
      }
      if (now - due.row.delete_time > kShredDeadline) {
        Log(Severity::kError, "shredding_overdue",
            {{"organization", due.row.organization}, {"set", due.row.set}, {"since", absl::FormatTime(due.row.delete_time, absl::UTCTimeZone())}});
      }
      ASSIGN_OR_RETURN(const bool gone, IsGone(options_.writer.store, due));
      if (gone) found.push_back(std::move(due));
      return found.size() < kMaxShredsPerRound;
    }));
    return found;
  }

  absl::Status Drop(std::vector<Precondition> old) const {
    for (Precondition& row : old) {
      Commit commit{.term = options_.writer.term()};
      commit.mutations.push_back({.key = row.key});
      commit.preconditions.push_back(std::move(row));
      const absl::Status dropped = CommitAndWait(options_.writer.store, std::move(commit)).status();
      // Somebody changed it meanwhile.
      if (!absl::IsAborted(dropped)) RETURN_IF_ERROR(dropped);
    }
    return absl::OkStatus();
  }

  absl::Status CheckNoCopies() const {
    for (const std::string& path : options_.copies) {
      std::error_code unknown;
      if (std::filesystem::exists(path, unknown) || unknown)
        return absl::UnavailableError(absl::StrCat("a backup that is under way holds the store's older files in ", path));
    }
    return absl::OkStatus();
  }

  // Keeps the row's revision: by it the shred ledger knows which it has (shred_copier.h).
  absl::Status Record(const Due& due) const {
    const absl::Time now = options_.clock.Now();
    Transaction transaction(options_.writer.store);
    const bool is_set = !due.set_uid.empty();
    AddAuditRecord(transaction, {.organization = due.row.organization,
                                 .time = now,
                                 .principal = "system",
                                 .method = "Shredder/Shred",
                                 .decision = AuditDecision::kDone,
                                 .object_kind = is_set ? "secretSet" : "organization",
                                 .object_name = is_set ? due.row.set : due.row.organization});
    Commit commit = std::move(transaction).TakeCommit(options_.writer.term());
    ShredRow row = due.row;
    row.shred_time = now;
    commit.preconditions.push_back({.key = due.key, .revision = due.revision});
    commit.mutations.push_back({.key = due.key, .value = Encode(row), .keep_revision = true});
    return CommitAndWait(options_.writer.store, std::move(commit)).status();
  }

  const ShredderOptions options_;
  absl::Mutex round_mutex_;
  absl::Mutex life_mutex_;
  bool ended_ ABSL_GUARDED_BY(life_mutex_) = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Shredder> Shredder::Start(ShredderOptions options) { return std::make_unique<PurgingShredder>(std::move(options)); }

}  // namespace keyferry

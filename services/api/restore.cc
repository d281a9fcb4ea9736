#include "services/api/restore.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/sealed_box.h"
#include "libs/storage/barrier.h"
#include "libs/storage/durable_files.h"
#include "libs/storage/keys.h"
#include "libs/storage/rocksdb_store.h"
#include "services/api/backup_files.h"
#include "services/api/paging.h"

namespace keyferry {
namespace {

namespace fs = std::filesystem;

// A row may have a megabyte.
constexpr size_t kPageRows = 64;
constexpr char kWatermark[] = "/watermark", kDatabase[] = "/db", kLock[] = "/LOCK", kWorkplace[] = "/restoring";
// Of a file system's root, which belongs to it.
constexpr char kLostAndFound[] = "lost+found";
constexpr char kCurrentFile[] = "db/CURRENT";

struct Source {
  BackupManifest manifest;
  LedgerContents ledger;
  // Of all backups and the ledger.
  uint64_t newest_lineage = 0;
};

absl::StatusOr<LedgerContents> ReadLedger(const RestoreRequest& request, const std::vector<BackupManifest>& backups) {
  LedgerContents none{.hashes = {""}};
  if (!request.shred_ledger) return none;
  absl::StatusOr<LedgerContents> ledger = ReadShredLedger(*request.shred_ledger, request.repository.keys);
  if (absl::IsNotFound(ledger.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("there is no shred ledger ", *request.shred_ledger,
                     ", which knows what must stay deleted: name it with --shred-ledger, or accept with "
                     "--without-shred-ledger that what was deleted since the backup comes back"));
  }
  RETURN_IF_ERROR(ledger.status());
  for (const BackupManifest& backup : backups) {
    if (backup.ledger.count == 0 || ledger->Passed(backup.ledger)) continue;
    return absl::DataLossError(absl::StrCat("the shred ledger ", *request.shred_ledger, " has ",
                                            ledger->position().count, " records, but is not the one that backup ",
                                            backup.name, " was made with, or was cut off: then it had ",
                                            backup.ledger.count, "; give the newest copy of that one"));
  }
  return ledger;
}

absl::StatusOr<BackupManifest> Choose(const BackupRepository& repository, const RestoreRequest& request,
                                      const BackupList& list) {
  if (!request.backup.empty()) return repository.Get(request.backup);
  // Not silently an older one.
  if (!list.problems.empty() && list.backups.empty()) return list.problems[0];
  if (list.backups.empty())
    return absl::NotFoundError(absl::StrCat("there is no backup in ", request.repository.directory));
  if (list.problems.empty()) return list.backups[0];
  return absl::DataLossError(absl::StrCat(list.problems[0].message(), ". The newest backup that can be read is ",
                                          list.backups[0].name, ": to take it, name it with --backup"));
}

absl::StatusOr<Source> OpenSource(const RestoreRequest& request) {
  const BackupRepository repository(request.repository);
  ASSIGN_OR_RETURN(const BackupList list, repository.List());
  Source source;
  ASSIGN_OR_RETURN(source.manifest, Choose(repository, request, list));
  ASSIGN_OR_RETURN(source.ledger, ReadLedger(request, list.backups));
  source.newest_lineage = source.ledger.NewestLineage();
  if (!request.shred_ledger && !request.unused_ledger.empty()) {
    const auto unused = ReadShredLedger(request.unused_ledger, request.repository.keys);
    if (unused.ok()) source.newest_lineage = unused->NewestLineage();
  }
  for (const BackupManifest& backup : list.backups)
    source.newest_lineage = std::max(source.newest_lineage, LineageOf(backup.revision));
  return source;
}

// The directory while it is being filled. Its watermark, without a database, keeps an API from opening it after a
// crash, and its lock meanwhile.
class Target {
 public:
  static absl::StatusOr<std::unique_ptr<Target>> Claim(const std::string& directory) {
    std::error_code ignored;
    const bool existed = fs::exists(directory, ignored);
    RETURN_IF_ERROR(MakeDirectories(directory));
    ASSIGN_OR_RETURN(std::vector<std::string> names, NamesIn(directory));
    std::erase(names, kLostAndFound);
    if (!names.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory, " is not empty (",
                       absl::StrJoin(names.begin(), names.begin() + std::min<size_t>(3, names.size()), ", "),
                       "): a backup is restored into an empty directory alone; move what is there away"));
    }
    // Two that begin together: one makes the file, and only who has it may remove anything.
    ASSIGN_OR_RETURN(BackupFile lock, BackupFile::Open(directory + kLock, O_RDWR | O_CREAT | O_EXCL));
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return absl::UnavailableError(absl::StrCat(directory, " is in use"));
    return std::unique_ptr<Target>(new Target(directory, existed, std::move(lock)));
  }

  ~Target() {
    if (finished_) return;
    std::error_code ignored;
    for (const char* name : {kWorkplace, kDatabase, kWatermark, kLock}) fs::remove_all(directory_ + name, ignored);
    if (!existed_) fs::remove(directory_, ignored);
  }

  std::string workplace() const { return directory_ + kWorkplace; }

  absl::Status CheckSpace(int64_t bytes) const {
    struct statvfs found {};
    if (statvfs(directory_.c_str(), &found) != 0) return absl::OkStatus();
    const auto free = static_cast<int64_t>(found.f_bavail * found.f_frsize);
    if (free >= bytes + kMinFreeBackupBytes) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("the disk of ", directory_, " has ", free,
                                                     " bytes free, but the store needs ", bytes, " and ",
                                                     kMinFreeBackupBytes, " beside them"));
  }

  // The guard is a whole watermark, and CURRENT, without which there is no database, comes last.
  absl::Status Extract(const BackupRepository& repository, const BackupManifest& manifest) const {
    const std::string guard = kWatermark + 1;
    RETURN_IF_ERROR(ExtractFile(repository, manifest, guard, directory_ + kWatermark));
    RETURN_IF_ERROR(SyncPath(directory_));
    FAILPOINT_OR_RETURN("restore.watermark_extracted");
    RETURN_IF_ERROR(MakeDirectories(workplace()));
    for (const BackupManifest::File& file : manifest.files) {
      if (file.path == kCurrentFile) continue;
      const std::string path = absl::StrCat(workplace(), "/", file.path);
      RETURN_IF_ERROR(MakeDirectories(fs::path(path).parent_path()));
      RETURN_IF_ERROR(repository.Extract(manifest, file, path));
    }
    RETURN_IF_ERROR(ExtractFile(repository, manifest, kCurrentFile, absl::StrCat(workplace(), "/", kCurrentFile)));
    FAILPOINT_OR_RETURN("restore.files_extracted");
    return SyncTree(workplace());
  }

  // The store in the workplace, which is closed, becomes the directory's.
  absl::Status Finish() {
    for (const char* name : {kDatabase, kWatermark}) {
      if (rename((workplace() + name).c_str(), (directory_ + name).c_str()) != 0)
        return FileError("rename", workplace() + name);
      FAILPOINT_OR_RETURN("restore.database_moved");
      RETURN_IF_ERROR(SyncPath(directory_));
    }
    FAILPOINT_OR_RETURN("restore.before_end");
    std::error_code ignored;
    fs::remove_all(workplace(), ignored);
    finished_ = true;
    return SyncPath(directory_);
  }

 private:
  Target(std::string directory, bool existed, BackupFile lock)
      : directory_(std::move(directory)), existed_(existed), lock_(std::move(lock)) {}

  static absl::Status ExtractFile(const BackupRepository& repository, const BackupManifest& manifest,
                                  const std::string& path, const std::string& target) {
    const auto file = std::ranges::find(manifest.files, path, &BackupManifest::File::path);
    if (file != manifest.files.end()) return repository.Extract(manifest, *file, target);
    return absl::DataLossError(absl::StrCat("backup ", manifest.name, " has no file ", path, "; take another backup"));
  }

  const std::string directory_;
  const bool existed_;
  const BackupFile lock_;
  bool finished_ = false;
};

constexpr const char* kFamilyNames[] = {"meta",       "keys",    "sets",     "generations", "deployments",
                                        "placements", "pending", "requests", "audit"};
static_assert(std::size(kFamilyNames) == kFamilyCount);

// Every row through the barrier, and every owner's keys unwrapped.
absl::StatusOr<std::map<std::string, int64_t>> OpenEveryRow(Barrier& barrier) {
  std::map<std::string, int64_t> counts;
  for (int i = 0; i < kFamilyCount; ++i) {
    int64_t& count = counts[kFamilyNames[i]];
    for (RowKey begin{static_cast<Family>(i), ""};;) {
      ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, barrier.store().Scan(begin, "", kPageRows));
      count += static_cast<int64_t>(rows.size());
      for (const KeyedRow& row : rows) {
        if (begin.family == Family::kKeys) RETURN_IF_ERROR(barrier.KeysOf(keys::LastPart(row.key)).status());
      }
      if (rows.size() < kPageRows) break;
      begin.bytes = rows.back().key.bytes + '\0';
    }
  }
  return counts;
}

absl::StatusOr<std::map<std::string, std::vector<std::string>>> SealingKeyIdsOf(const Store& store) {
  std::map<std::string, std::vector<std::string>> ids;
  RETURN_IF_ERROR(VisitRows(store, keys::Regions(), "", [&](const KeyedRow& stored) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const RegionRow region, Decode<RegionRow>(stored.row.value));
    std::vector<std::string>& of_region = ids[keys::LastPart(stored.key)];
    if (!region.sealing_key.empty()) of_region.push_back(absl::BytesToHexString(SealingKeyId(region.sealing_key)));
    for (const std::string& key : region.previous_sealing_keys) of_region.push_back(absl::BytesToHexString(SealingKeyId(key)));
    return true;
  }));
  return ids;
}

absl::StatusOr<Term> BeginNewestLineage(Store& store, uint64_t newest_known) {
  ASSIGN_OR_RETURN(Term term, store.AcquireWriter(Lineage::kNext));
  while (term.lineage <= newest_known) {
    ASSIGN_OR_RETURN(term, store.AcquireWriter(Lineage::kNext));
  }
  return term;
}

absl::Status MakeCurrent(const std::string& directory, const Source& source, RootKeys& root_keys, const Clock& clock,
                         RestoreReport& report) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                   OpenRocksDbStore({.path = directory, .disk = {.ballast_bytes = 0}}));
  if (store->Head() < source.manifest.revision) {
    return absl::DataLossError(absl::StrCat("the restored store ends before the revision of backup ",
                                            source.manifest.name, "; take another backup"));
  }
  ASSIGN_OR_RETURN(const Term term, BeginNewestLineage(*store, source.newest_lineage));
  FAILPOINT_OR_RETURN("restore.lineage_begun");
  ASSIGN_OR_RETURN(const std::unique_ptr<Barrier> barrier, Barrier::Open(*store, root_keys, term));
  ASSIGN_OR_RETURN(report.row_counts, OpenEveryRow(*barrier));
  // What came before is done in the backup, or was undone on purpose: by a restore without the ledger, in an older
  // lineage's place.
  std::vector<ShredRecord> records = source.ledger.records;
  std::erase_if(records, [&](const ShredRecord& record) { return record.revision <= source.manifest.revision; });
  ASSIGN_OR_RETURN(report.replayed, ReplayShreds(barrier->store(), term, records, clock.Now()));
  FAILPOINT_OR_RETURN("restore.replayed");
  ASSIGN_OR_RETURN(report.sealing_key_ids, SealingKeyIdsOf(barrier->store()));
  report.lineage = term.lineage;
  report.head = store->Head();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RestoreReport> VerifyBackup(const RestoreRequest& request) {
  ASSIGN_OR_RETURN(Source source, OpenSource(request));
  RETURN_IF_ERROR(BackupRepository(request.repository).Verify(source.manifest));
  return RestoreReport{.backup = std::move(source.manifest),
                       .shred_count = source.ledger.position().count,
                       .lineage = source.newest_lineage};
}

absl::StatusOr<RestoreReport> Restore(const RestoreRequest& request, RootKeys& root_keys, const Clock& clock) {
  ASSIGN_OR_RETURN(const Source source, OpenSource(request));
  ASSIGN_OR_RETURN(const std::unique_ptr<Target> target, Target::Claim(request.data_directory));
  RETURN_IF_ERROR(target->CheckSpace(source.manifest.total_bytes));
  RETURN_IF_ERROR(target->Extract(BackupRepository(request.repository), source.manifest));
  RestoreReport report{.backup = source.manifest, .shred_count = source.ledger.position().count};
  RETURN_IF_ERROR(MakeCurrent(target->workplace(), source, root_keys, clock, report));
  RETURN_IF_ERROR(target->Finish());
  return report;
}

}  // namespace keyferry

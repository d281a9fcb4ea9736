#include "libs/storage/rocksdb_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/storage/commit_watermark.h"
#include "libs/storage/committer.h"
#include "libs/storage/durable_files.h"
#include "libs/storage/rings.h"
#include "libs/storage/rocks_database.h"
#include "libs/storage/row_cache.h"

namespace keyferry {
namespace {

constexpr char kDatabaseName[] = "/db", kWatermarkName[] = "/watermark", kLockName[] = "/LOCK", kRestoredName[] = "/RESTORED";

class DirectoryLock {
 public:
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(const std::string& directory) {
    const std::string path = directory + kLockName;
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return FileError("open", path);
    auto lock = std::unique_ptr<DirectoryLock>(new DirectoryLock(file));
    if (flock(file, LOCK_EX | LOCK_NB) == 0) return lock;
    return absl::UnavailableError(
        absl::StrCat("the store in ", directory, " is held by another process; stop that one first"));
  }
  ~DirectoryLock() { close(file_); }

 private:
  explicit DirectoryLock(int file) : file_(file) {}
  const int file_;
};

// Makes an empty file, durably.
absl::Status Mark(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return FileError("create", path);
  close(file);
  return SyncPath(path);
}

class RocksDbStore final : public Store {
 public:
  RocksDbStore(RocksDbStoreOptions options, std::unique_ptr<DirectoryLock> lock,
               std::unique_ptr<CommitWatermark> watermark, std::unique_ptr<RocksDatabase> database)
      : path_(options.path), lock_(std::move(lock)),
        watermark_(std::move(watermark)),
        database_(std::move(database)),
        cache_(options.row_cache_bytes),
        disk_(options.path, options.disk, *options.clock),
        committer_(*database_, cache_, rings_, disk_,
                   {.max_unanswered_commits = options.max_unanswered_commits,
                    .on_head = [this](Revision head) { watermark_->Advance(head); }}) {}

  // A copy's first writer begins a new lineage: regions may have seen what the original committed after the copy was made.
  absl::StatusOr<Term> AcquireWriter(Lineage lineage) override {
    const std::string mark = path_ + kRestoredName;
    std::error_code ignored;
    const bool restored = std::filesystem::exists(mark, ignored);
    ASSIGN_OR_RETURN(const Term term, committer_.AcquireWriter(restored ? Lineage::kNext : lineage));
    FAILPOINT_OR_RETURN("store.term.granted");
    if (restored && unlink(mark.c_str()) != 0) return FileError("remove", mark);
    if (restored) RETURN_IF_ERROR(SyncPath(path_));
    return term;
  }

  void CommitAsync(Commit commit, CommitDone done) override { committer_.Submit(std::move(commit), std::move(done)); }

  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override {
    const RowCache::Lookup cached = cache_.Find(key);
    if (cached.entry && cached.entry->absent()) return std::optional<Row>();
    if (cached.entry && cached.entry->value) return std::optional<Row>({*cached.entry->value, cached.entry->revision});
    ASSIGN_OR_RETURN(std::optional<Row> row, database_->Get(key));
    cache_.Offer(key, cached.ticket,
                 {.revision = row ? row->revision : 0,
                  .value = row ? std::make_shared<const std::string>(row->value) : nullptr});
    return row;
  }

  std::optional<Revision> RevisionInMemory(const RowKey& key) const override { return cache_.RevisionOf(key); }

  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    return database_->Scan(begin, end, limit);
  }

  absl::StatusOr<size_t> Count(const RowKey& begin, const std::string& end) const override { return database_->Count(begin, end); }

  std::unique_ptr<Subscription> Ring(const RowKey& begin, const std::string& end, std::function<void()> ring) override {
    return rings_.Subscribe(begin, end, std::move(ring));
  }

  Revision Head() const override { return committer_.head(); }
  Revision Ceiling() const override { return committer_.ceiling(); }

  absl::Status Backup(const std::string& directory) override {
    absl::MutexLock lock(&backup_mutex_);
    const std::string unfinished = directory + ".unfinished";
    std::error_code ignored;
    if (std::filesystem::exists(directory, ignored)) {
      return absl::AlreadyExistsError(absl::StrCat("the backup directory ", directory, " exists; name a new one"));
    }
    std::filesystem::remove_all(unfinished, ignored);
    RETURN_IF_ERROR(MakeDirectories(unfinished));
    const Revision head = Head();
    FAILPOINT_OR_RETURN("store.backup.before_checkpoint");
    RETURN_IF_ERROR(database_->Checkpoint(unfinished + kDatabaseName));
    RETURN_IF_ERROR(CommitWatermark::Create(unfinished + kWatermarkName, head));
    RETURN_IF_ERROR(Mark(unfinished + kRestoredName));
    FAILPOINT_OR_RETURN("store.backup.before_rename");
    if (rename(unfinished.c_str(), directory.c_str()) != 0) return FileError("rename", unfinished);
    FAILPOINT_OR_RETURN("store.backup.after_rename");
    return SyncParentDirectory(directory);
  }

  absl::Status Purge(const std::vector<KeyRange>& ranges) override {
    absl::MutexLock lock(&backup_mutex_);
    return database_->Purge(ranges);
  }

 private:
  // Destroyed from the last to the first: the committer's end advances the watermark, whose end writes it.
  const std::string path_;
  const std::unique_ptr<DirectoryLock> lock_;
  absl::Mutex backup_mutex_;
  const std::unique_ptr<CommitWatermark> watermark_;
  const std::unique_ptr<RocksDatabase> database_;
  mutable RowCache cache_;
  Rings rings_;
  DiskGuard disk_;
  Committer committer_;
};

// The watermark is made before the database, so that a database without one has lost it.
absl::StatusOr<std::unique_ptr<CommitWatermark>> OpenWatermark(const RocksDbStoreOptions& options) {
  const std::string path = options.path + kWatermarkName;
  std::error_code ignored;
  const bool fresh = !std::filesystem::exists(options.path + kDatabaseName, ignored);
  if (!std::filesystem::exists(path, ignored)) {
    if (!fresh) {
      return absl::DataLossError(absl::StrCat("the commit watermark ", path,
                                              " is missing, so nobody can tell whether commits are; "
                                              "restore a backup"));
    }
    RETURN_IF_ERROR(CommitWatermark::Create(path, 0));
  }
  return CommitWatermark::Open(path, options.watermark_interval);
}

absl::Status CheckNothingIsMissing(const RocksDbStoreOptions& options, Revision recovered, Revision acknowledged) {
  if (recovered >= acknowledged) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrFormat("acknowledged commits are missing from the store in %s: it ends at revision %d.%d, but %d.%d was "
                      "acknowledged. The disk lost "
                      "or damaged a log. Restore a backup; do not go on with this copy.",
                      options.path, LineageOf(recovered), WithLineage(recovered, 0), LineageOf(acknowledged),
                      WithLineage(acknowledged, 0)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenRocksDbStore(RocksDbStoreOptions options) {
  RETURN_IF_ERROR(MakeDirectories(options.path));
  ASSIGN_OR_RETURN(auto lock, DirectoryLock::Take(options.path));
  DiskGuard(options.path, options.disk, *options.clock).TrimBallast();
  ASSIGN_OR_RETURN(auto watermark, OpenWatermark(options));
  FAILPOINT_OR_RETURN("store.open.before_database");
  ASSIGN_OR_RETURN(auto database, RocksDatabase::Open(options.path + kDatabaseName));
  FAILPOINT_OR_RETURN("store.open.after_database");
  RETURN_IF_ERROR(SyncPath(options.path));
  RETURN_IF_ERROR(CheckNothingIsMissing(options, database->recovered().head, watermark->recovered()));
  return std::make_unique<RocksDbStore>(std::move(options), std::move(lock), std::move(watermark), std::move(database));
}

}  // namespace keyferry

#include "services/provisioner/region_store.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/failpoint.h"
#include "libs/common/last_words.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "services/provisioner/commit_watermark.h"
#include "services/provisioner/region_rows.h"
#include "services/provisioner/row_frame.h"

namespace keyferry {
namespace {

constexpr size_t kIncarnationBytes = 16;
constexpr int kTombstonesPerBatch = 10'000;

std::string_view ToView(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

bool IsLive(const RegionObject& object) { return object.version.operation == Operation::kApply; }

absl::Status Damaged(const std::string& directory, const std::string& what) {
  return absl::DataLossError(absl::StrCat("the region's store ", directory, " is damaged (", what,
                                          "); stop, move the directory away and start again: the region gets a new "
                                          "incarnation and the API sends everything again"));
}

rocksdb::Options DatabaseOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
  // What is sealed does not get smaller.
  options.compression = rocksdb::kNoCompression;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.write_buffer_size = 16 << 20;
  options.max_total_wal_size = 64 << 20;
  options.max_open_files = 256;
  options.keep_log_file_num = 4;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  return options;
}

class RocksDbRegionStore final : public RegionStore {
 public:
  RocksDbRegionStore(std::string directory, std::string region, std::unique_ptr<rocksdb::DB> db,
                     std::unique_ptr<CommitWatermark> watermark)
      : directory_(std::move(directory)),
        region_(std::move(region)),
        db_(std::move(db)),
        watermark_(std::move(watermark)) {}

  // What Open does once both files are open.
  absl::Status Recover() {
    RETURN_IF_ERROR(ReadMeta());
    RETURN_IF_ERROR(CheckRows());
    const uint64_t recovered = db_->GetLatestSequenceNumber();
    MetaRow meta_row = this->meta_row();
    const bool is_new = meta_row.meta.target_incarnation.empty();
    if (!is_new && watermark_->recovered().value_or(UINT64_MAX) <= recovered) return absl::OkStatus();
    if (!is_new) {
      Log(Severity::kError, "region_store_lost_its_tail",
          {{"directory", directory_},
           {"recovered", recovered},
           {"committed", watermark_->recovered().value_or(0)},
           {"consequence", "new target incarnation, full resync"}});
    }
    meta_row.region = region_;
    FAILPOINT_OR_RETURN("region.store.before_incarnation");
    meta_row.meta.target_incarnation = RandomBytes(kIncarnationBytes);
    rocksdb::WriteBatch batch;
    Write(batch, meta_row);
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<RegionObject>> Get(const ObjectId& id) const override {
    const std::string key = ObjectKey(id);
    ASSIGN_OR_RETURN(const std::optional<std::string> frame, GetRow(key));
    return DecodeRow(key, frame);
  }

  absl::Status ForEach(const std::optional<ObjectId>& after,
                       const std::function<bool(const RegionObject&)>& visit) const override {
    // The least key above an id's is the same with a NUL at its end.
    return ForEachRow(after ? ObjectKey(*after) + '\0' : kObjectPrefix,
                      [&](const RegionObject& object, std::string_view) { return visit(object); });
  }

  size_t object_count() const override { return object_count_; }

  RegionMeta meta() const override { return meta_row().meta; }

  absl::StatusOr<std::vector<Verdict>> Commit(const std::vector<RegionObject>& changes) override {
    absl::MutexLock lock(&commit_mutex_);
    MetaRow meta_row = this->meta_row();
    rocksdb::WriteBatch batch;
    std::vector<Verdict> verdicts;
    int64_t added = 0;
    for (const RegionObject& change : changes) {
      const std::string key = ObjectKey(change.id);
      ASSIGN_OR_RETURN(const std::optional<std::string> held_frame, GetRow(key));
      ASSIGN_OR_RETURN(const std::optional<RegionObject> held, DecodeRow(key, held_frame));
      const auto held_version = held ? std::optional(held->version) : std::nullopt;
      verdicts.push_back(Judge(change.version, held_version, meta_row.meta.settled_floor));
      if (verdicts.back() != Verdict::kApply && verdicts.back() != Verdict::kDelete) continue;
      if (held_frame) meta_row.totals.Remove(*held_frame);
      Replace(batch, meta_row.totals, key, change, held);
      added += IsLive(change) - (held && IsLive(*held));
      meta_row.meta.max_revision_seen = std::max(meta_row.meta.max_revision_seen, change.version.revision);
    }
    if (batch.Count() > 0) Write(batch, meta_row);
    object_count_ += added;
    return verdicts;
  }

  absl::Status RaiseFloor(uint64_t settled_floor) override {
    absl::MutexLock lock(&commit_mutex_);
    MetaRow meta_row = this->meta_row();
    if (settled_floor <= meta_row.meta.settled_floor) return absl::OkStatus();
    FAILPOINT_OR_RETURN("region.store.before_floor");
    meta_row.meta.settled_floor = settled_floor;
    bool more = true;
    while (more) {
      rocksdb::WriteBatch batch;
      ASSIGN_OR_RETURN(more, CollectTombstones(batch, meta_row.totals, settled_floor));
      Write(batch, meta_row);
    }
    return absl::OkStatus();
  }

 private:
  MetaRow meta_row() const {
    absl::MutexLock lock(&meta_mutex_);
    return meta_row_;
  }

  absl::Status FromRocksDb(const rocksdb::Status& status) const {
    if (status.IsCorruption()) return Damaged(directory_, status.ToString());
    return absl::UnavailableError(absl::StrCat("the region's store ", directory_, ": ", status.ToString()));
  }

  absl::StatusOr<std::optional<std::string>> GetRow(const std::string& key) const {
    std::string frame;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), key, &frame);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return FromRocksDb(status);
    return frame;
  }

  absl::StatusOr<std::optional<RegionObject>> DecodeRow(const std::string& key, const std::optional<std::string>& frame) const {
    if (!frame) return std::nullopt;
    auto object = DecodeObjectRow(key, *frame);
    if (!object.ok()) return Damaged(directory_, std::string(object.status().message()));
    return *std::move(object);
  }

  absl::Status ForEachRow(const std::string& start,
                          const std::function<bool(const RegionObject&, std::string_view frame)>& visit) const {
    const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(rocksdb::ReadOptions()));
    for (row->Seek(start); row->Valid() && row->key().starts_with(kObjectPrefix); row->Next()) {
      const auto object = DecodeObjectRow(ToView(row->key()), ToView(row->value()));
      if (!object.ok()) return Damaged(directory_, std::string(object.status().message()));
      if (!visit(*object, ToView(row->value()))) return absl::OkStatus();
    }
    return row->status().ok() ? absl::OkStatus() : FromRocksDb(row->status());
  }

  absl::Status ReadMeta() {
    ASSIGN_OR_RETURN(const std::optional<std::string> frame, GetRow(kMetaKey));
    // Without one there must be no rows either, which CheckRows then sees.
    if (!frame) return absl::OkStatus();
    auto meta_row = DecodeMetaRow(*frame);
    if (!meta_row.ok()) return Damaged(directory_, std::string(meta_row.status().message()));
    if (meta_row->region != region_) {
      return absl::FailedPreconditionError(absl::StrCat("the store ", directory_, " belongs to region ",
                                                        meta_row->region, ", not ", region_,
                                                        "; give each region a data directory of its own"));
    }
    absl::MutexLock lock(&meta_mutex_);
    meta_row_ = *std::move(meta_row);
    return absl::OkStatus();
  }

  absl::Status CheckRows() {
    RowTotals totals;
    size_t objects = 0;
    RETURN_IF_ERROR(ForEachRow(kObjectPrefix, [&](const RegionObject& object, std::string_view frame) {
      totals.Add(frame);
      objects += IsLive(object);
      return true;
    }));
    if (const RowTotals expected = meta_row().totals; totals != expected) {
      return Damaged(directory_, absl::StrCat("it should hold ", expected.count, " rows; found are ",
                                              totals.count, ", or others"));
    }
    object_count_ = objects;
    return absl::OkStatus();
  }

  static void Replace(rocksdb::WriteBatch& batch, RowTotals& totals, const std::string& key, const RegionObject& change,
                      const std::optional<RegionObject>& held) {
    if (held && !IsLive(*held)) batch.Delete(TombstoneKey(held->version.revision, held->id));
    if (!IsLive(change)) batch.Put(TombstoneKey(change.version.revision, change.id), "");
    const std::string frame = EncodeObjectRow(change);
    totals.Add(frame);
    batch.Put(key, frame);
  }

  // Answers whether there are more of them.
  absl::StatusOr<bool> CollectTombstones(rocksdb::WriteBatch& batch, RowTotals& totals, uint64_t settled_floor) const {
    const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(rocksdb::ReadOptions()));
    const std::string end = PastTombstones(settled_floor);
    int collected = 0;
    for (row->Seek(kTombstonePrefix); row->Valid() && row->key().compare(end) < 0; row->Next()) {
      if (collected++ == kTombstonesPerBatch) return true;
      const std::string object_key = ObjectKeyOfTombstone(ToView(row->key()));
      ASSIGN_OR_RETURN(const std::optional<std::string> frame, GetRow(object_key));
      if (frame) {
        RETURN_IF_ERROR(UnframeRow(object_key, *frame).status());
        totals.Remove(*frame);
      }
      batch.Delete(object_key);
      batch.Delete(row->key());
    }
    if (!row->status().ok()) return FromRocksDb(row->status());
    return false;
  }

  // Everything that is ever written goes through here, with the meta row.
  void Write(rocksdb::WriteBatch& batch, const MetaRow& meta_row) {
    batch.Put(kMetaKey, EncodeMetaRow(meta_row));
    FAILPOINT("region.store.before_write");
    rocksdb::WriteOptions options;
    options.sync = true;
    options.protection_bytes_per_key = 8;
    if (const rocksdb::Status status = db_->Write(options, &batch); !status.ok()) {
      EndWithLastWords(kRegionStoreFailedExitCode, "region_store_write_failed", {{"directory", directory_}, {"error", status.ToString()}});
    }
    FAILPOINT("region.store.after_write");
    watermark_->Write(db_->GetLatestSequenceNumber());
    absl::MutexLock lock(&meta_mutex_);
    meta_row_ = meta_row;
  }

  const std::string directory_;
  const std::string region_;
  const std::unique_ptr<rocksdb::DB> db_;
  const std::unique_ptr<CommitWatermark> watermark_;
  absl::Mutex commit_mutex_;
  mutable absl::Mutex meta_mutex_;
  MetaRow meta_row_ ABSL_GUARDED_BY(meta_mutex_);
  std::atomic<size_t> object_count_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RegionStore>> RegionStore::Open(const std::string& directory,
                                                               const std::string& region) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::UnavailableError(absl::StrCat("cannot create ", directory, ": ", std::strerror(errno)));
  }
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(DatabaseOptions(), directory + "/db", &raw);
  std::unique_ptr<rocksdb::DB> db(raw);
  if (status.IsCorruption()) return Damaged(directory, status.ToString());
  if (!status.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("cannot open the region's store ", directory, ": ",
                                                      status.ToString(), "; does another provisioner use it?"));
  }
  ASSIGN_OR_RETURN(auto watermark, CommitWatermark::Open(directory + "/watermark"));
  auto store = std::make_unique<RocksDbRegionStore>(directory, region, std::move(db), std::move(watermark));
  RETURN_IF_ERROR(store->Recover());
  return store;
}

}  // namespace keyferry

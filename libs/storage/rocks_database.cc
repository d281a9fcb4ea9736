#include "libs/storage/rocks_database.h"

#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/storage/big_endian.h"
#include "libs/storage/commit_rules.h"
#include "libs/storage/durable_files.h"
#include "libs/storage/fail_stop.h"
#include "libs/storage/manifest_mark.h"
#include "libs/storage/rocks_options.h"
#include "libs/storage/row_frame.h"

namespace keyferry {
namespace {

// Family 8 in its checksum, from when that was no family. No audit row has this key, so that no other row has its checksum.
const RowKey kHeadKey{Family::kAudit, "head"};
// What a row costs in a batch beyond key and value, about.
constexpr size_t kRowOverheadBytes = 32;
// The second round writes what came during the first, so that the log of that time goes too.
constexpr int kPurgeFlushes = 2;

rocksdb::Slice SliceOf(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view ViewOf(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

absl::Status StatusOf(std::string_view action, const rocksdb::Status& status) {
  const std::string message = absl::StrCat(absl::string_view(action.data(), action.size()), ": ", status.ToString());
  return status.IsCorruption() ? absl::DataLossError(absl::StrCat(message, "; restore a backup"))
                               : absl::UnavailableError(message);
}

using Handles = std::vector<rocksdb::ColumnFamilyHandle*>;

class RocksBatch final : public RocksDatabase::Batch {
 public:
  RocksBatch(const Handles& families, rocksdb::ColumnFamilyHandle* head, size_t reserved_bytes)
      : families_(families), head_(head), rows_(reserved_bytes, 0, RocksWriteOptions().protection_bytes_per_key, 0) {}

  void Put(const RowKey& key, Revision revision, const std::string& value) override {
    const RowFrameHead frame_head = FrameHeadOf(key, revision, value);
    // In one piece: to protect pieces, RocksDB would join them in a new block each time.
    frame_.assign(frame_head.data(), frame_head.size()).append(value);
    Require(rows_.Put(families_[static_cast<size_t>(key.family)], SliceOf(key.bytes), frame_));
    bytes_ += kRowOverheadBytes + key.bytes.size() + kRowFrameBytes + value.size();
  }
  void Erase(const RowKey& key) override {
    Require(rows_.Delete(families_[static_cast<size_t>(key.family)], key.bytes));
    bytes_ += kRowOverheadBytes + key.bytes.size();
  }
  size_t bytes() const override { return bytes_; }

  rocksdb::WriteBatch& Finish(const RocksDatabase::HeadState& head) {
    std::string term;
    AppendBigEndian64(term, head.term);
    Require(rows_.Put(head_, kHeadKey.bytes, FrameRow(kHeadKey, head.head, term)));
    return rows_;
  }

 private:
  // Only memory errors can get here; half of a commit must not be written.
  static void Require(const rocksdb::Status& status) {
    if (!status.ok()) FailStop("building a batch", status.ToString());
  }

  const Handles& families_;
  rocksdb::ColumnFamilyHandle* const head_;
  rocksdb::WriteBatch rows_;
  std::string frame_;
  size_t bytes_ = 0;
};

// Tables come and go with a flush or a compaction alone.
class MarkManifest final : public rocksdb::EventListener {
 public:
  explicit MarkManifest(std::shared_ptr<ManifestMark> mark) : mark_(std::move(mark)) {}
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { mark_->Update(); }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { mark_->Update(); }

 private:
  const std::shared_ptr<ManifestMark> mark_;
};

class OpenRocksDatabase final : public RocksDatabase {
 public:
  OpenRocksDatabase(std::shared_ptr<ManifestMark> mark, rocksdb::DB* db, Handles handles)
      : mark_(std::move(mark)), db_(db), head_(handles.front()), families_(handles.begin() + 1, handles.end()) {}

  ~OpenRocksDatabase() override {
    for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    db_->DestroyColumnFamilyHandle(head_).PermitUncheckedError();
    if (const rocksdb::Status closed = db_->Close(); !closed.ok()) FailStop("closing the store", closed.ToString());
    mark_->Update();
  }

  absl::Status ReadHead() {
    ASSIGN_OR_RETURN(const std::optional<Row> row, GetFrom(head_, kHeadKey));
    if (!row) {
      recovered_ = {.head = kEmptyHead, .term = 0};
      return absl::OkStatus();
    }
    if (row->value.size() != 8)
      return absl::DataLossError("the store's head row is not of a format that this version reads");
    recovered_ = {.head = row->revision, .term = ReadBigEndian64(row->value)};
    return absl::OkStatus();
  }

  HeadState recovered() const override { return recovered_; }

  absl::StatusOr<std::optional<Row>> Get(const RowKey& key) const override { return GetFrom(FamilyOf(key), key); }

  absl::StatusOr<std::vector<KeyedRow>> Scan(const RowKey& begin, const std::string& end, size_t limit) const override {
    rocksdb::ReadOptions options;
    const rocksdb::Slice bound = end;
    if (!end.empty()) options.iterate_upper_bound = &bound;
    const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(options, FamilyOf(begin)));
    std::vector<KeyedRow> found;
    for (row->Seek(begin.bytes); row->Valid() && found.size() < limit; row->Next()) {
      RowKey key{begin.family, row->key().ToString()};
      ASSIGN_OR_RETURN(Row unframed, UnframeRow(key, ViewOf(row->value())));
      found.push_back({std::move(key), std::move(unframed)});
    }
    if (!row->status().ok()) return StatusOf(absl::StrCat("reading from ", Printable(begin)), row->status());
    return found;
  }

  absl::StatusOr<size_t> Count(const RowKey& begin, const std::string& end) const override {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    const rocksdb::Slice bound = end;
    if (!end.empty()) options.iterate_upper_bound = &bound;
    const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(options, FamilyOf(begin)));
    size_t count = 0;
    for (row->Seek(begin.bytes); row->Valid(); row->Next()) ++count;
    if (!row->status().ok()) return StatusOf(absl::StrCat("counting from ", Printable(begin)), row->status());
    return count;
  }

  std::unique_ptr<Batch> NewBatch(size_t reserved_bytes) override { return std::make_unique<RocksBatch>(families_, head_, reserved_bytes); }

  void Write(Batch& batch, const HeadState& head) override {
    const rocksdb::Status written = db_->Write(RocksWriteOptions(), &static_cast<RocksBatch&>(batch).Finish(head));
    if (!written.ok()) FailStop("writing a batch", written.ToString());
  }

  absl::Status Checkpoint(const std::string& directory) override {
    rocksdb::Checkpoint* raw = nullptr;
    const rocksdb::Status ready = rocksdb::Checkpoint::Create(db_.get(), &raw);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
    if (!ready.ok()) return StatusOf("preparing a backup", ready);
    // Flushes first: 7.8 does not sync the logs that it would link.
    if (const rocksdb::Status copied = checkpoint->CreateCheckpoint(directory, /*log_size_for_flush=*/0);
        !copied.ok()) {
      return StatusOf(absl::StrCat("backing up to ", directory), copied);
    }
    return SyncTree(directory);
  }

  absl::Status Purge(const std::vector<KeyRange>& ranges) override {
    FAILPOINT_OR_RETURN("store.purge.before_flush");
    // All families share the logs: one goes when no memtable needs it.
    for (int round = 0; round < kPurgeFlushes; ++round) {
      for (rocksdb::ColumnFamilyHandle* family : AllFamilies()) {
        if (const rocksdb::Status flushed = db_->Flush(rocksdb::FlushOptions(), family); !flushed.ok())
          return StatusOf("flushing what is to be purged", flushed);
      }
    }
    FAILPOINT_OR_RETURN("store.purge.before_compaction");
    rocksdb::CompactRangeOptions options;
    // Down to the last level also where nothing below it would make it so: replaced values are dropped there alone.
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    options.exclusive_manual_compaction = false;
    for (const KeyRange& range : ranges) {
      const rocksdb::Slice begin = SliceOf(range.begin.bytes), end = SliceOf(range.end);
      const rocksdb::Status compacted =
          db_->CompactRange(options, FamilyOf(range.begin), &begin, range.end.empty() ? nullptr : &end);
      if (!compacted.ok()) return StatusOf(absl::StrCat("purging ", Printable(range.begin)), compacted);
    }
    return absl::OkStatus();
  }

 private:
  Handles AllFamilies() const {
    Handles all{head_};
    all.insert(all.end(), families_.begin(), families_.end());
    return all;
  }
  rocksdb::ColumnFamilyHandle* FamilyOf(const RowKey& key) const { return families_[static_cast<size_t>(key.family)]; }

  absl::StatusOr<std::optional<Row>> GetFrom(rocksdb::ColumnFamilyHandle* family, const RowKey& key) const {
    rocksdb::PinnableSlice frame;
    const rocksdb::Status read = db_->Get(rocksdb::ReadOptions(), family, SliceOf(key.bytes), &frame);
    if (read.IsNotFound()) return std::optional<Row>();
    if (!read.ok()) return StatusOf(absl::StrCat("reading ", Printable(key)), read);
    ASSIGN_OR_RETURN(Row row, UnframeRow(key, ViewOf(frame)));
    return std::optional<Row>(std::move(row));
  }

  const std::shared_ptr<ManifestMark> mark_;
  const std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* const head_;
  const Handles families_;
  HeadState recovered_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RocksDatabase>> RocksDatabase::Open(const std::string& directory) {
  rocksdb::DB* db = nullptr;
  Handles handles;
  const auto mark = std::make_shared<ManifestMark>(directory + ".manifest", directory);
  RETURN_IF_ERROR(mark->Check());
  rocksdb::DBOptions options = RocksDbOptions();
  options.listeners.push_back(std::make_shared<MarkManifest>(mark));
  const rocksdb::Status opened = rocksdb::DB::Open(options, directory, RocksFamilies(), &handles, &db);
  if (!opened.ok()) return StatusOf(absl::StrCat("opening the store in ", directory), opened);
  auto database = std::make_unique<OpenRocksDatabase>(mark, db, std::move(handles));
  mark->Update();
  RETURN_IF_ERROR(database->ReadHead());
  return database;
}

}  // namespace keyferry

#include "services/provisioner/region_store.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "keyferry/storage/records.pb.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/model/object_hash.h"
#include "services/provisioner/commit_watermark.h"
#include "services/provisioner/row_frame.h"

namespace keyferry {
namespace {

// Rows: "m" the meta record; "o" | object id; "t" | revision (8 bytes, big-endian) | object id, an empty row for each
// tombstone.
constexpr char kMetaKey[] = "m";
constexpr char kObjectPrefix = 'o';
constexpr char kTombstonePrefix = 't';
constexpr size_t kIncarnationBytes = 16;
constexpr int kTombstonesPerBatch = 10'000;

std::string_view ToView(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

std::string ObjectKey(const ObjectId& id) { return kObjectPrefix + ObjectIdBytes(id); }

std::string TombstoneKey(uint64_t revision, std::string_view id_bytes) {
  std::string key(1, kTombstonePrefix);
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(revision >> shift));
  return key.append(id_bytes);
}

absl::Status Damaged(const std::string& directory, std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("the region's store ", directory, " is damaged (", std::string(what),
                   "); stop, move the directory away and start again: the region gets a new incarnation and "
                   "the API sends everything again"));
}

absl::StatusOr<ObjectId> ParseObjectKey(std::string_view key) {
  const size_t separator = key.find('\0', 2);
  if (key.size() < 2 || separator == key.npos) return absl::DataLossError("a key is not an object's");
  const auto kind = static_cast<ObjectKind>(key[1]);
  if (kind != ObjectKind::kSecretSet && kind != ObjectKind::kDeployment)
    return absl::DataLossError("unknown kind of object");
  return ObjectId{.kind = kind,
                  .organization = std::string(key.substr(2, separator - 2)),
                  .name = std::string(key.substr(separator + 1))};
}

std::string EncodeObject(const RegionObject& object) {
  storage::RegionObjectRecord record;
  record.set_uid(object.uid);
  record.set_revision(object.version.revision);
  record.set_operation(static_cast<int>(object.version.operation));
  record.set_sealed_object(object.sealed_object);
  record.set_digest(object.version.digest);
  return record.SerializeAsString();
}

absl::StatusOr<RegionObject> DecodeObject(std::string_view key, std::string_view frame) {
  ASSIGN_OR_RETURN(const std::string_view value, UnframeRow(key, frame));
  storage::RegionObjectRecord record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())))
    return absl::DataLossError("a row is no record");
  const auto operation = static_cast<Operation>(record.operation());
  if (operation != Operation::kApply && operation != Operation::kDelete)
    return absl::DataLossError("unknown operation");
  ASSIGN_OR_RETURN(ObjectId id, ParseObjectKey(key));
  return RegionObject{
      .id = std::move(id),
      .uid = std::move(*record.mutable_uid()),
      .version = {.revision = record.revision(), .operation = operation, .digest = std::move(*record.mutable_digest())},
      .sealed_object = std::move(*record.mutable_sealed_object())};
}

std::string EncodeMeta(const RegionMeta& meta, const std::string& region) {
  storage::RegionMetaRecord record;
  record.set_target_incarnation(meta.target_incarnation);
  record.set_max_revision_seen(meta.max_revision_seen);
  record.set_settled_floor(meta.settled_floor);
  record.set_region(region);
  return record.SerializeAsString();
}

rocksdb::Options DatabaseOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
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
    const bool is_new = meta_.target_incarnation.empty();
    if (!is_new && watermark_->recovered().value_or(UINT64_MAX) <= recovered) return absl::OkStatus();
    if (!is_new) {
      Log(Severity::kError, "region_store_lost_its_tail",
          {{"directory", directory_},
           {"recovered", recovered},
           {"committed", watermark_->recovered().value_or(0)},
           {"consequence", "new target incarnation, full resync"}});
    }
    RegionMeta meta = meta_;
    meta.target_incarnation = RandomBytes(kIncarnationBytes);
    rocksdb::WriteBatch batch;
    Write(batch, meta);
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<RegionObject>> Get(const ObjectId& id) const override {
    const std::string key = ObjectKey(id);
    std::string frame;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), key, &frame);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return FromRocksDb(status);
    auto object = DecodeObject(key, frame);
    if (!object.ok()) return Damaged(directory_, std::string(object.status().message()));
    return *std::move(object);
  }

  absl::Status ForEach(const std::optional<ObjectId>& after,
                       const std::function<bool(const RegionObject&)>& visit) const override {
    const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(rocksdb::ReadOptions()));
    // The least key above an id's is the same with a NUL at its end.
    const std::string start = after ? ObjectKey(*after) + '\0' : std::string(1, kObjectPrefix);
    for (row->Seek(start); row->Valid() && row->key()[0] == kObjectPrefix; row->Next()) {
      const auto object = DecodeObject(ToView(row->key()), ToView(row->value()));
      if (!object.ok()) return Damaged(directory_, std::string(object.status().message()));
      if (!visit(*object)) return absl::OkStatus();
    }
    return row->status().ok() ? absl::OkStatus() : FromRocksDb(row->status());
  }

  size_t object_count() const override { return object_count_; }

  RegionMeta meta() const override {
    std::lock_guard lock(meta_mutex_);
    return meta_;
  }

  absl::StatusOr<std::vector<Verdict>> Commit(const std::vector<RegionObject>& changes) override {
    std::lock_guard lock(commit_mutex_);
    RegionMeta meta = this->meta();
    rocksdb::WriteBatch batch;
    std::vector<Verdict> verdicts;
    int64_t added = 0;
    for (const RegionObject& change : changes) {
      ASSIGN_OR_RETURN(const auto held, Get(change.id));
      const Verdict verdict =
          Judge(change.version, held ? std::optional(held->version) : std::nullopt, meta.settled_floor);
      verdicts.push_back(verdict);
      if (verdict != Verdict::kApply && verdict != Verdict::kDelete) continue;
      Put(batch, change, held);
      added += (verdict == Verdict::kApply) - (held && held->version.operation == Operation::kApply);
      meta.max_revision_seen = std::max(meta.max_revision_seen, change.version.revision);
    }
    if (batch.Count() > 0) Write(batch, meta);
    object_count_ += added;
    return verdicts;
  }

  absl::Status RaiseFloor(uint64_t settled_floor) override {
    std::lock_guard lock(commit_mutex_);
    RegionMeta meta = this->meta();
    if (settled_floor <= meta.settled_floor) return absl::OkStatus();
    meta.settled_floor = settled_floor;
    bool more = true;
    while (more) {
      rocksdb::WriteBatch batch;
      ASSIGN_OR_RETURN(more, CollectTombstones(batch, settled_floor));
      Write(batch, meta);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status FromRocksDb(const rocksdb::Status& status) const {
    if (status.IsCorruption()) return Damaged(directory_, status.ToString());
    return absl::UnavailableError(absl::StrCat("the region's store ", directory_, ": ", status.ToString()));
  }

  absl::Status ReadMeta() {
    std::string frame;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), kMetaKey, &frame);
    if (status.IsNotFound()) return CheckEmpty();
    if (!status.ok()) return FromRocksDb(status);
    const auto value = UnframeRow(kMetaKey, frame);
    storage::RegionMetaRecord record;
    if (!value.ok() || !record.ParseFromArray(value->data(), static_cast<int>(value->size())) ||
        record.target_incarnation().size() != kIncarnationBytes) {
      return Damaged(directory_, "its meta row");
    }
    if (record.region() != region_) {
      return absl::FailedPreconditionError(absl::StrCat("the store ", directory_, " belongs to region ",
                                                        record.region(), ", not ", region_,
                                                        "; give each region a data directory of its own"));
    }
    meta_ = {.target_incarnation = record.target_incarnation(),
             .max_revision_seen = record.max_revision_seen(),
             .settled_floor = record.settled_floor()};
    return absl::OkStatus();
  }

  absl::Status CheckEmpty() const {
    const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(rocksdb::ReadOptions()));
    row->SeekToFirst();
    if (row->Valid()) return Damaged(directory_, "its meta row is missing");
    return row->status().ok() ? absl::OkStatus() : FromRocksDb(row->status());
  }

  absl::Status CheckRows() {
    size_t objects = 0;
    RETURN_IF_ERROR(ForEach(std::nullopt, [&](const RegionObject& object) {
      objects += object.version.operation == Operation::kApply;
      return true;
    }));
    object_count_ = objects;
    return absl::OkStatus();
  }

  static void Put(rocksdb::WriteBatch& batch, const RegionObject& change, const std::optional<RegionObject>& held) {
    const std::string key = ObjectKey(change.id);
    const std::string_view id_bytes = std::string_view(key).substr(1);
    if (held && held->version.operation == Operation::kDelete)
      batch.Delete(TombstoneKey(held->version.revision, id_bytes));
    if (change.version.operation == Operation::kDelete) batch.Put(TombstoneKey(change.version.revision, id_bytes), "");
    batch.Put(key, FrameRow(key, EncodeObject(change)));
  }

  // Answers whether there are more of them.
  absl::StatusOr<bool> CollectTombstones(rocksdb::WriteBatch& batch, uint64_t settled_floor) const {
    const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(rocksdb::ReadOptions()));
    const std::string past_floor = settled_floor == UINT64_MAX ? "u" : TombstoneKey(settled_floor + 1, "");
    int collected = 0;
    for (row->Seek(std::string(1, kTombstonePrefix)); row->Valid() && row->key().compare(past_floor) < 0; row->Next()) {
      if (collected++ == kTombstonesPerBatch) return true;
      batch.Delete(row->key());
      batch.Delete(kObjectPrefix + std::string(ToView(row->key()).substr(1 + 8)));
    }
    if (!row->status().ok()) return FromRocksDb(row->status());
    return false;
  }

  // Everything that is ever written goes through here, with the meta row.
  void Write(rocksdb::WriteBatch& batch, const RegionMeta& meta) {
    batch.Put(kMetaKey, FrameRow(kMetaKey, EncodeMeta(meta, region_)));
    rocksdb::WriteOptions options;
    options.sync = true;
    options.protection_bytes_per_key = 8;
    if (const rocksdb::Status status = db_->Write(options, &batch); !status.ok()) {
      Log(Severity::kError, "region_store_write_failed", {{"directory", directory_}, {"error", status.ToString()}});
      std::abort();
    }
    watermark_->Write(db_->GetLatestSequenceNumber());
    std::lock_guard lock(meta_mutex_);
    meta_ = meta;
  }

  const std::string directory_;
  const std::string region_;
  const std::unique_ptr<rocksdb::DB> db_;
  const std::unique_ptr<CommitWatermark> watermark_;
  std::mutex commit_mutex_;
  mutable std::mutex meta_mutex_;
  RegionMeta meta_;
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

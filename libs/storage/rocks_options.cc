#include "libs/storage/rocks_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include <memory>
#include <string_view>

#include "libs/storage/commit_rules.h"
#include "libs/storage/fail_stop.h"

namespace keyferry {
namespace {

constexpr size_t kBlockCacheBytes = size_t{64} << 20;
constexpr size_t kMemtableBytes = size_t{16} << 20;
constexpr size_t kAllMemtablesBytes = size_t{96} << 20;
constexpr uint64_t kMaxWalBytes = uint64_t{64} << 20;
constexpr size_t kProtectionBytes = 8;

// What a queue's keys begin with: tag and first part. Within it they come in order, so that the memtable looks for a new one's place beside the last one.
class QueueOf final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "keyferry.QueueOf"; }
  bool InDomain(const rocksdb::Slice& key) const override { return Find(key) != std::string_view::npos; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), Find(key) + 1}; }

 private:
  static size_t Find(const rocksdb::Slice& key) {
    const std::string_view bytes(key.data(), key.size());
    const size_t tag_end = bytes.find('\0');
    return tag_end == bytes.npos ? bytes.npos : bytes.find('\0', tag_end + 1);
  }
};

class StopOnBackgroundError final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    FailStop("RocksDB in the background", status->ToString());
  }
};

rocksdb::ColumnFamilyOptions FamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // In pieces, within the cache: memory does not grow with the store (docs/adr/2026-11-23-memory-does-not-grow-with-the-store.md).
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = kMemtableBytes;
  // Values are sealed: nothing to compress.
  options.compression = rocksdb::kNoCompression;
  options.memtable_protection_bytes_per_key = kProtectionBytes;
  options.paranoid_file_checks = true;
  return options;
}

}  // namespace

rocksdb::DBOptions RocksDbOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // Opens after every power loss with a prefix of the commits; the commit watermark tells whether it is long enough.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.paranoid_checks = true;
  options.verify_sst_unique_id_in_manifest = true;
  // 7.8 reports logs missing that are not.
  options.track_and_verify_wals_in_manifest = false;
  options.max_manifest_file_size = uint64_t{16} << 20;
  // Deleted bytes must not live on in archives or reused logs.
  options.WAL_ttl_seconds = 0;
  options.WAL_size_limit_MB = 0;
  options.recycle_log_file_num = 0;
  // A reader must never see what is not durable yet.
  options.manual_wal_flush = false;
  options.unordered_write = false;
  options.two_write_queues = false;
  options.enable_pipelined_write = false;
  // A failed write ends the process; nothing is tried again in place.
  options.max_bgerror_resume_count = 0;
  options.listeners.push_back(std::make_shared<StopOnBackgroundError>());
  options.max_total_wal_size = kMaxWalBytes;
  options.db_write_buffer_size = kAllMemtablesBytes;
  options.max_background_jobs = 2;
  options.bytes_per_sync = size_t{1} << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 4;
  options.max_log_file_size = size_t{4} << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::WriteOptions RocksWriteOptions() {
  rocksdb::WriteOptions options;
  options.sync = true;
  options.protection_bytes_per_key = kProtectionBytes;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> RocksFamilies() {
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families = {{rocksdb::kDefaultColumnFamilyName, FamilyOptions(cache)}};
  for (int i = 0; i < kFamilyCount; ++i) {
    const auto family = static_cast<Family>(i);
    rocksdb::ColumnFamilyOptions options = FamilyOptions(cache);
    if (family == Family::kPending || family == Family::kAudit) {
      options.memtable_insert_with_hint_prefix_extractor = std::make_shared<const QueueOf>();
      // Queues: a seek would walk over what was settled, or chained.
      options.table_properties_collector_factories.push_back(
          rocksdb::NewCompactOnDeletionCollectorFactory(10'000, 5'000, 0.5));
    }
    families.emplace_back(FamilyName(family), options);
  }
  return families;
}

}  // namespace keyferry

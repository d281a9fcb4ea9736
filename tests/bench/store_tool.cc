// What a store's files hold, for the cost per secret. The API must be stopped. usage: store_tool MODE DATA_DIRECTORY
//   compact   writes every row anew, so that nothing that was replaced or erased takes room
//   families  a line a column family: its name, rows=N bytes=N of keys and values, files=N bytes in tables
//   commits   works on a copy alone, which it opens: of the commits in the write-ahead log that write a secret set, and
//   nothing but one:
//             sets=N puts=N erases=N bytes=N, the last three medians
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "libs/storage/commit_rules.h"
#include "libs/storage/rocksdb_store.h"

namespace keyferry {
namespace {

using Families = std::vector<rocksdb::ColumnFamilyDescriptor>;

int Refuse(const std::string& what) { return std::fprintf(stderr, "store_tool: %s\n", what.c_str()), 1; }

Families FamiliesOf(const std::string& database) {
  std::vector<std::string> names;
  Families families;
  if (!rocksdb::DB::ListColumnFamilies({}, database, &names).ok()) return families;
  for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  return families;
}

int Compact(const std::string& directory) {
  const auto store = OpenRocksDbStore({.path = directory});
  if (!store.ok()) return Refuse(store.status().ToString());
  std::vector<KeyRange> everything;
  for (int i = 0; i < kFamilyCount; ++i) everything.push_back({.begin = {static_cast<Family>(i), ""}, .end = ""});
  const absl::Status status = (*store)->Purge(everything);
  return status.ok() ? 0 : Refuse(status.ToString());
}

void ShowFamily(rocksdb::DB& database, rocksdb::ColumnFamilyHandle* family) {
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t table_bytes = 0;
  const std::unique_ptr<rocksdb::Iterator> each(database.NewIterator({}, family));
  for (each->SeekToFirst(); each->Valid(); each->Next()) {
    ++rows;
    bytes += each->key().size() + each->value().size();
  }
  database.GetIntProperty(family, "rocksdb.total-sst-files-size", &table_bytes);
  std::printf("%s rows=%lu bytes=%lu files=%lu\n", family->GetName().c_str(), rows, bytes, table_bytes);
}

int ShowFamilies(const std::string& directory) {
  const Families families = FamiliesOf(directory + "/db");
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly({}, directory + "/db", families, &handles, &opened);
  if (!status.ok()) return Refuse(status.ToString());
  const std::unique_ptr<rocksdb::DB> database(opened);
  for (rocksdb::ColumnFamilyHandle* family : handles) {
    ShowFamily(*database, family);
    database->DestroyColumnFamilyHandle(family);
  }
  return 0;
}

// Of one commit.
class Counter final : public rocksdb::WriteBatch::Handler {
 public:
  explicit Counter(uint32_t sets_family) : sets_family_(sets_family) {}
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    if (family == sets_family_ && key.starts_with(rocksdb::Slice("s\0", 2))) ++sets;
    ++puts;
    bytes += key.size() + value.size();
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice& key) override {
    ++erases;
    bytes += key.size();
    return rocksdb::Status::OK();
  }

  uint64_t sets = 0, puts = 0, erases = 0, bytes = 0;

 private:
  const uint32_t sets_family_;
};

// Of the commits' figures: others' commits that were merged into the same batch move a mean.
uint64_t Median(std::vector<uint64_t> figures) {
  const auto middle = figures.begin() + static_cast<std::ptrdiff_t>(figures.size() / 2);
  std::nth_element(figures.begin(), middle, figures.end());
  return *middle;
}

int CountCommits(rocksdb::DB& database, uint32_t sets_family) {
  std::unique_ptr<rocksdb::TransactionLogIterator> log;
  const auto status = database.GetUpdatesSince(0, &log);
  if (!status.ok()) return Refuse(status.ToString());
  std::vector<uint64_t> puts, erases, bytes;
  for (; log->Valid(); log->Next()) {
    const rocksdb::BatchResult batch = log->GetBatch();
    Counter commit(sets_family);
    if (!batch.writeBatchPtr->Iterate(&commit).ok() || commit.sets != 1) continue;
    puts.push_back(commit.puts);
    erases.push_back(commit.erases);
    bytes.push_back(commit.bytes);
  }
  if (puts.empty()) return Refuse("no commit of a secret set in the log");
  std::printf("sets=%zu puts=%lu erases=%lu bytes=%lu\n", puts.size(), Median(puts), Median(erases), Median(bytes));
  return 0;
}

int ShowCommits(const std::string& directory) {
  const Families families = FamiliesOf(directory + "/db");
  rocksdb::DBOptions options;
  // Keeps the log.
  options.avoid_flush_during_recovery = true;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const auto status = rocksdb::DB::Open(options, directory + "/db", families, &handles, &opened);
  if (!status.ok()) return Refuse(status.ToString());
  const std::unique_ptr<rocksdb::DB> database(opened);
  uint32_t sets_family = 0;
  for (rocksdb::ColumnFamilyHandle* family : handles) {
    if (family->GetName() == FamilyName(Family::kSets)) sets_family = family->GetID();
  }
  const int code = CountCommits(*database, sets_family);
  for (rocksdb::ColumnFamilyHandle* family : handles) database->DestroyColumnFamilyHandle(family);
  return code;
}

int Run(const std::string& mode, const std::string& directory) {
  if (mode == "compact") return Compact(directory);
  if (mode == "families") return ShowFamilies(directory);
  if (mode == "commits") return ShowCommits(directory);
  return Refuse("no such mode: " + mode);
}

}  // namespace
}  // namespace keyferry

int main(int count, char** arguments) {
  if (count != 3) return std::fputs("usage: store_tool compact|families|commits DATA_DIRECTORY\n", stderr), 2;
  return keyferry::Run(arguments[1], arguments[2]);
}

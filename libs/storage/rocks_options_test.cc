#include "libs/storage/rocks_options.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {
namespace {

TEST(RocksOptionsTest, MemoryForTablesDoesNotGrowWithWhatTheyHold) {
  TempDir directory;
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  ASSERT_TRUE(rocksdb::DB::Open(RocksDbOptions(), directory.File("db"), RocksFamilies(), &families, &opened).ok());
  const std::unique_ptr<rocksdb::DB> database(opened);
  constexpr int kRows = 50'000;
  for (int i = 0; i < kRows; ++i) {
    ASSERT_TRUE(database->Put(rocksdb::WriteOptions(), absl::StrCat("key-", i), std::string(200, 'v')).ok());
  }
  ASSERT_TRUE(database->Flush(rocksdb::FlushOptions()).ok());
  ASSERT_TRUE(database->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
  uint64_t bytes = 0;
  ASSERT_TRUE(database->GetIntProperty(rocksdb::DB::Properties::kEstimateTableReadersMem, &bytes));
  // The filter alone is 10 bits a row.
  EXPECT_LT(bytes, kRows * 10 / 8 / 4);
  for (rocksdb::ColumnFamilyHandle* const family : families) database->DestroyColumnFamilyHandle(family);
}

}  // namespace
}  // namespace keyferry

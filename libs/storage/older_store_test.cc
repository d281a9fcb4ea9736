// What the version before the audit family left on disk opens, byte by byte.
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/storage/commit_watermark.h"
#include "libs/storage/rocksdb_store.h"

namespace keyferry {
namespace {

// Revision 1.5; the head row's term is 3, and the family in its checksum is 8, which named no family then.
constexpr Revision kHead = (Revision{1} << 48) + 5;
constexpr char kHeadRow[] = "010001000000000005144eaceb0000000000000003";
constexpr char kSetRow[] = "01000100000000000556b2457c76616c7565";

void Put(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, const std::string& key, const std::string& hex) {
  ASSERT_TRUE(db.Put(rocksdb::WriteOptions(), family, key, absl::HexStringToBytes(hex)).ok());
}

TEST(OlderStoreTest, AStoreOfBeforeTheAuditFamilyOpensWhereItStood) {
  const TempDir directory;
  const std::string path = directory.File("store");
  std::filesystem::create_directories(path);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name :
       {"default", "meta", "keys", "sets", "generations", "deployments", "placements", "pending", "requests"})
    families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  rocksdb::DBOptions options;
  options.create_if_missing = options.create_missing_column_families = true;
  rocksdb::DB* raw = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  ASSERT_TRUE(rocksdb::DB::Open(options, path + "/db", families, &handles, &raw).ok());
  const std::unique_ptr<rocksdb::DB> db(raw);
  Put(*db, handles[0], "head", kHeadRow);
  Put(*db, handles[3], std::string("s\0acme\0web", 10), kSetRow);
  for (rocksdb::ColumnFamilyHandle* handle : handles) ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  ASSERT_TRUE(db->Close().ok());
  ASSERT_THAT(CommitWatermark::Create(path + "/watermark", kHead), IsOk());

  const auto store = OpenRocksDbStore({.path = path, .disk = {.ballast_bytes = 0}});
  ASSERT_THAT(store, IsOk());
  EXPECT_EQ((*store)->Head(), kHead);
  EXPECT_EQ((**(*store)->Get({Family::kSets, std::string("s\0acme\0web", 10)})).value, "value");
  const auto term = (*store)->AcquireWriter(Lineage::kKeep);
  ASSERT_THAT(term, IsOk());
  EXPECT_EQ(term->number, 4u);
  EXPECT_THAT(CommitAndWait(**store, {.term = *term, .mutations = {{.key = {Family::kAudit, "h"}, .value = "new"}}}),
              IsOk());
}

}  // namespace
}  // namespace keyferry

// What Purge leaves on disk: no byte of what was erased or replaced, in any file.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/storage/rocksdb_store.h"

namespace keyferry {
namespace {

class PurgeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = *OpenRocksDbStore({.path = path_, .disk = {.ballast_bytes = 0}});
    term_ = *store_->AcquireWriter(Lineage::kKeep);
  }
  static RowKey Key(const std::string& bytes, Family family = Family::kSets) { return {family, bytes}; }
  void Put(const RowKey& key, const std::string& value) {
    ASSERT_THAT(CommitAndWait(*store_, {.term = term_, .mutations = {{.key = key, .value = value}}}), IsOk());
  }
  void Erase(const RowKey& key) { ASSERT_THAT(CommitAndWait(*store_, {.term = term_, .mutations = {{.key = key}}}), IsOk()); }
  // Files that hold the bytes.
  std::vector<std::string> FilesWith(const std::string& bytes) const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string content{std::istreambuf_iterator<char>(file), {}};
      if (content.find(bytes) != std::string::npos) found.push_back(entry.path().filename());
    }
    return found;
  }

  const TempDir directory_;
  const std::string path_ = directory_.File("store");
  std::unique_ptr<Store> store_;
  Term term_;
};

TEST_F(PurgeTest, WhatWasErasedIsInTheLogBeforeAndNowhereAfterwards) {
  Put(Key("gone"), "canary-of-an-erased-value");
  Put(Key("kept"), "canary-of-a-kept-value");
  Erase(Key("gone"));
  ASSERT_FALSE(FilesWith("canary-of-an-erased-value").empty());
  ASSERT_THAT(store_->Purge({{Key("gone"), std::string("gone\0", 5)}}), IsOk());
  EXPECT_TRUE(FilesWith("canary-of-an-erased-value").empty());
  EXPECT_FALSE(FilesWith("canary-of-a-kept-value").empty());
  EXPECT_EQ((**store_->Get(Key("kept"))).value, "canary-of-a-kept-value");
}

TEST_F(PurgeTest, WhatWasReplacedGoesFromTheBottomLevelToo) {
  Put(Key("set"), "canary-of-a-replaced-value");
  ASSERT_THAT(store_->Purge({{Key(""), ""}}), IsOk());
  ASSERT_FALSE(FilesWith("canary-of-a-replaced-value").empty());
  Put(Key("set"), "another value");
  ASSERT_THAT(store_->Purge({{Key("set"), std::string("set\0", 4)}}), IsOk());
  EXPECT_TRUE(FilesWith("canary-of-a-replaced-value").empty());
  EXPECT_EQ((**store_->Get(Key("set"))).value, "another value");
}

TEST_F(PurgeTest, TombstonesThatAFlushSpreadOverFilesTakeTheirValuesWithThem) {
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 50; ++i) Put(Key(absl::StrCat("s", round, "-", i), Family::kGenerations), absl::StrCat("canary-", round, "-", i, "."));
    ASSERT_THAT(store_->Purge({}), IsOk());
  }
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 50; i += 2) Erase(Key(absl::StrCat("s", round, "-", i), Family::kGenerations));
  }
  ASSERT_THAT(store_->Purge({{Key("s", Family::kGenerations), "t"}}), IsOk());
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 50; ++i) EXPECT_EQ(FilesWith(absl::StrCat("canary-", round, "-", i, ".")).empty(), i % 2 == 0) << round << " " << i;
  }
}

TEST_F(PurgeTest, WritersOfEveryFamilyGoOnMeanwhileAndNoneIsLost) {
  std::atomic<bool> stop = false;
  std::atomic<int> count = 0;
  std::thread writer([&] {
    while (!stop) {
      Put(Key(absl::StrCat("w", count.load()), static_cast<Family>(count % kFamilyCount)), "written");
      ++count;
    }
  });
  for (int i = 0; i < 10; ++i) {
    Put(Key("gone"), absl::StrCat("canary-round-", i, "."));
    Erase(Key("gone"));
    ASSERT_THAT(store_->Purge({{Key("g"), "h"}}), IsOk());
    EXPECT_TRUE(FilesWith(absl::StrCat("canary-round-", i, ".")).empty()) << i;
  }
  stop = true;
  writer.join();
  store_.reset();
  SetUp();
  for (int i = 0; i < count; ++i) EXPECT_TRUE((*store_->Get(Key(absl::StrCat("w", i), static_cast<Family>(i % kFamilyCount)))).has_value()) << i;
}

}  // namespace
}  // namespace keyferry

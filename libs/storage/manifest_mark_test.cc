#include "libs/storage/manifest_mark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/storage/rocksdb_store.h"

namespace keyferry {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string ReadFile(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void WriteFile(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

RowKey KeyOf(int i) { return {Family::kSets, absl::StrCat("s", i)}; }

class ManifestMarkTest : public ::testing::Test {
 protected:
  // A store of three tables or more, closed.
  ManifestMarkTest() {
    for (int round = 0; round < 3; ++round) {
      const auto store = *OpenRocksDbStore({.path = path_});
      const Term term = *store->AcquireWriter(Lineage::kKeep);
      for (int i = 0; i < 20; ++i) {
        EXPECT_THAT(CommitAndWait(*store, {.term = term, .mutations = {{.key = KeyOf(20 * round + i), .value = "value"}}}), IsOk());
      }
      EXPECT_THAT(store->Backup(absl::StrCat(path_, ".copy", round)), IsOk());
    }
  }

  fs::path Manifest() const {
    std::string name = ReadFile(fs::path(path_) / "db/CURRENT");
    name.pop_back();
    return fs::path(path_) / "db" / name;
  }

  // Not OK, or every row.
  static absl::Status OpenAndCount(const std::string& path) {
    const auto store = OpenRocksDbStore({.path = path});
    if (!store.ok()) return store.status();
    for (int i = 0; i < 60; ++i) {
      const auto row = (*store)->Get(KeyOf(i));
      if (!row.ok()) return row.status();
      EXPECT_TRUE(*row) << "row " << i << " was lost without a word";
    }
    return absl::OkStatus();
  }

  TempDir directory_;
  const std::string path_ = directory_.path() + "/store";
};

TEST_F(ManifestMarkTest, AnUnharmedStoreOpens) { EXPECT_THAT(OpenAndCount(path_), IsOk()); }

TEST_F(ManifestMarkTest, AnyFlippedBitOfTheManifestIsNamed) {
  const std::string whole = ReadFile(Manifest());
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string flipped = whole;
    flipped[random() % whole.size()] ^= static_cast<char>(1 << (random() % 8));
    WriteFile(Manifest(), flipped);
    const absl::Status opened = OpenAndCount(path_);
    ASSERT_THAT(opened, StatusIs(absl::StatusCode::kDataLoss)) << "round " << round;
    ASSERT_THAT(std::string(opened.message()), HasSubstr("MANIFEST"));
  }
  WriteFile(Manifest(), whole);
  EXPECT_THAT(OpenAndCount(path_), IsOk());
}

TEST_F(ManifestMarkTest, AManifestThatWasCutIsNamed) {
  const std::string whole = ReadFile(Manifest());
  WriteFile(Manifest(), whole.substr(0, whole.size() - 1));
  EXPECT_THAT(OpenAndCount(path_), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(ManifestMarkTest, BytesAfterTheMarkAreTheDatabasesOwnBusiness) {
  // As after a crash in the middle of an append.
  WriteFile(Manifest(), ReadFile(Manifest()) + "torn");
  EXPECT_THAT(OpenAndCount(path_), IsOk());
}

TEST_F(ManifestMarkTest, ACurrentThatWentBackIsNamed) {
  WriteFile(fs::path(path_) / "db/CURRENT", "MANIFEST-000001\n");
  EXPECT_THAT(OpenAndCount(path_), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(ManifestMarkTest, ADamagedMarkIsNamedAndNoneIsTakenForAnOlderVersion) {
  const std::string mark = path_ + "/db.manifest", whole = ReadFile(mark);
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] ^= 1;
    WriteFile(mark, flipped);
    ASSERT_THAT(OpenAndCount(path_), StatusIs(absl::StatusCode::kDataLoss)) << "byte " << i;
  }
  fs::remove(mark);
  EXPECT_THAT(OpenAndCount(path_), IsOk());
  EXPECT_TRUE(fs::exists(mark));
}

}  // namespace
}  // namespace keyferry

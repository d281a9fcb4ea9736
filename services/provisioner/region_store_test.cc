#include "services/provisioner/region_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "services/provisioner/row_frame.h"
#include "services/provisioner/testing/object_sealer.h"

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

RegionObject Object(const std::string& name, uint64_t revision, const std::string& content = "content") {
  return {.id = SetId(name),
          .uid = kSetUid,
          .version = {.revision = revision, .digest = "digest of " + content},
          .sealed_object = content};
}

std::string ReadAll(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void WriteAll(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

TEST(RowFrameTest, IsTheCastagnoliChecksum) {
  // RFC 3720 B.4.
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
}

TEST(RowFrameTest, FindsEveryFlippedBitAndAForeignKey) {
  const std::string frame = FrameRow("key", "value");
  EXPECT_THAT(UnframeRow("key", frame), IsOkAndHolds(std::string_view("value")));
  EXPECT_THAT(UnframeRow("kez", frame), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(UnframeRow("key", "abc"), StatusIs(absl::StatusCode::kDataLoss));
  for (size_t bit = 0; bit < 8 * frame.size(); ++bit) {
    std::string flipped = frame;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_THAT(UnframeRow("key", flipped), StatusIs(absl::StatusCode::kDataLoss)) << "bit " << bit;
  }
}

class RegionStoreTest : public ::testing::Test {
 protected:
  RegionStoreTest() { Reopen(); }

  void Reopen() {
    store_.reset();
    store_ = RegionStore::Open(directory_.path(), "us-west").value();
  }
  // The verdict on one change.
  Verdict Commit(const RegionObject& change) { return store_->Commit({change}).value().at(0); }
  std::string Contents() const {
    std::string contents;
    EXPECT_THAT(store_->ForEach(std::nullopt,
                                [&](const RegionObject& object) {
                                  contents += object.id.name + "@" + std::to_string(object.version.revision);
                                  contents += object.version.operation == Operation::kApply
                                                  ? "=" + object.sealed_object + " "
                                                  : "- ";
                                  return true;
                                }),
                IsOk());
    return contents;
  }

  // Syncs cost nothing there.
  TempDir directory_{"/dev/shm"};
  std::unique_ptr<RegionStore> store_;
};

TEST_F(RegionStoreTest, KeepsWhatItCommittedOverReopening) {
  EXPECT_THAT(store_->Commit({Object("b", 5), Object("a", 6, "other"), Tombstone(SetId("c"), 7)}),
              IsOkAndHolds(ElementsAre(Verdict::kApply, Verdict::kApply, Verdict::kDelete)));
  const RegionMeta meta = store_->meta();
  EXPECT_EQ(meta.max_revision_seen, 7u);
  EXPECT_EQ(meta.target_incarnation.size(), 16u);
  Reopen();
  EXPECT_EQ(Contents(), "a@6=other b@5=content c@7- ");
  EXPECT_EQ(store_->object_count(), 2u);
  EXPECT_EQ(store_->meta().target_incarnation, meta.target_incarnation);
  EXPECT_EQ(store_->meta().max_revision_seen, 7u);
  const auto held = store_->Get(SetId("b")).value();
  ASSERT_TRUE(held);
  EXPECT_EQ(held->uid, kSetUid);
  EXPECT_EQ(held->version.digest, "digest of content");
  EXPECT_EQ(store_->Get(SetId("d")).value(), std::nullopt);
}

TEST_F(RegionStoreTest, AppliesOnlyWhatIsNotOlder) {
  EXPECT_EQ(Commit(Object("a", 5)), Verdict::kApply);
  EXPECT_EQ(Commit(Object("a", 5)), Verdict::kDuplicate);
  EXPECT_EQ(Commit(Object("a", 5, "other")), Verdict::kConflict);
  EXPECT_EQ(Commit(Object("a", 4, "older")), Verdict::kStale);
  EXPECT_EQ(Commit(Tombstone(SetId("a"), 4)), Verdict::kStale);
  EXPECT_EQ(Contents(), "a@5=content ");
  EXPECT_EQ(Commit(Tombstone(SetId("a"), 6)), Verdict::kDelete);
  EXPECT_EQ(Commit(Object("a", 5)), Verdict::kStale);
  EXPECT_EQ(Contents(), "a@6- ");
  EXPECT_EQ(store_->object_count(), 0u);
  EXPECT_EQ(Commit(Object("a", 7, "again")), Verdict::kApply);
  EXPECT_EQ(store_->object_count(), 1u);
}

TEST_F(RegionStoreTest, KeepsTombstonesUntilTheFloorPassesThem) {
  ASSERT_THAT(store_->Commit({Object("live", 3), Tombstone(SetId("x"), 5), Tombstone(SetId("y"), 6)}), IsOk());
  ASSERT_THAT(store_->RaiseFloor(4), IsOk());
  EXPECT_EQ(Contents(), "live@3=content x@5- y@6- ");
  ASSERT_THAT(store_->RaiseFloor(5), IsOk());
  EXPECT_EQ(Contents(), "live@3=content y@6- ");
  Reopen();
  EXPECT_EQ(store_->meta().settled_floor, 5u);
  EXPECT_EQ(Commit(Object("x", 5)), Verdict::kBelowFloor);
  EXPECT_EQ(Commit(Object("x", 6)), Verdict::kApply);
  EXPECT_EQ(Commit(Object("live", 4)), Verdict::kApply);
}

TEST_F(RegionStoreTest, TheFloorNeverGoesDown) {
  ASSERT_THAT(store_->RaiseFloor(9), IsOk());
  ASSERT_THAT(store_->RaiseFloor(0), IsOk());
  EXPECT_EQ(store_->meta().settled_floor, 9u);
  ASSERT_THAT(store_->Commit({Tombstone(SetId("x"), UINT64_MAX)}), IsOk());
  ASSERT_THAT(store_->RaiseFloor(UINT64_MAX), IsOk());
  EXPECT_EQ(Contents(), "");
}

TEST_F(RegionStoreTest, ATombstoneThatWasAppliedOverIsNotCollected) {
  ASSERT_THAT(store_->Commit({Tombstone(SetId("a"), 5)}), IsOk());
  ASSERT_THAT(store_->Commit({Object("a", 6)}), IsOk());
  ASSERT_THAT(store_->RaiseFloor(8), IsOk());
  EXPECT_EQ(Contents(), "a@6=content ");
}

TEST_F(RegionStoreTest, VisitsFromTheOneAfter) {
  ASSERT_THAT(store_->Commit({Object("a", 1), Object("a-b", 2), Object("b", 3)}), IsOk());
  std::vector<std::string> names;
  ASSERT_THAT(
      store_->ForEach(SetId("a"),
                      [&](const RegionObject& object) { return names.push_back(object.id.name), names.size() < 1; }),
      IsOk());
  EXPECT_THAT(names, ElementsAre("a-b"));
}

TEST_F(RegionStoreTest, RefusesAnotherRegionAndASecondProcess) {
  EXPECT_THAT(RegionStore::Open(directory_.path(), "us-west"), StatusIs(absl::StatusCode::kFailedPrecondition));
  store_.reset();
  const auto other = RegionStore::Open(directory_.path(), "us-east");
  ASSERT_THAT(other, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("us-west"));
}

TEST_F(RegionStoreTest, AWipedDirectoryIsANewTarget) {
  const std::string incarnation = store_->meta().target_incarnation;
  store_.reset();
  std::filesystem::remove_all(directory_.path());
  Reopen();
  EXPECT_NE(store_->meta().target_incarnation, incarnation);
}

// A point-in-time recovery that dropped an acknowledged commit: the region's promises are void, its data is kept.
TEST_F(RegionStoreTest, ALostTailIsANewTargetThatKeepsWhatIsLeft) {
  ASSERT_THAT(store_->Commit({Object("a", 1)}), IsOk());
  const std::string incarnation = store_->meta().target_incarnation;
  std::filesystem::path log;
  for (const auto& file : std::filesystem::directory_iterator(directory_.File("db"))) {
    if (file.path().extension() == ".log") log = file.path();
  }
  const std::string before = ReadAll(log);
  ASSERT_THAT(store_->Commit({Object("b", 2)}), IsOk());
  store_.reset();
  std::string after = ReadAll(log);
  ASSERT_GT(after.size(), before.size());
  after[before.size() + 20] ^= 1;
  WriteAll(log, after);
  Reopen();
  EXPECT_EQ(Contents(), "a@1=content ");
  EXPECT_NE(store_->meta().target_incarnation, incarnation);
  const std::string second = store_->meta().target_incarnation;
  ASSERT_THAT(store_->Commit({Object("b", 2)}), IsOk());
  Reopen();
  EXPECT_EQ(store_->meta().target_incarnation, second);
}

TEST_F(RegionStoreTest, ADamagedOrMissingWatermarkIsANewTarget) {
  for (const bool remove : {false, true}) {
    const std::string incarnation = store_->meta().target_incarnation;
    store_.reset();
    const std::string path = directory_.File("watermark");
    std::string bytes = ReadAll(path);
    bytes[5] ^= 1;
    WriteAll(path, bytes);
    if (remove) std::filesystem::remove(path);
    Reopen();
    EXPECT_NE(store_->meta().target_incarnation, incarnation);
  }
}

// Every bit of every file that RocksDB reads: the store refuses, or it is a new target, or nothing is lost.
TEST_F(RegionStoreTest, AFlippedBitAnywhereIsNeverServedAsTruth) {
  ASSERT_THAT(store_->Commit({Object("a", 1), Object("b", 2, "other"), Tombstone(SetId("c"), 3)}), IsOk());
  Reopen();  // moves the rows from the log to a table
  ASSERT_THAT(store_->Commit({Object("d", 4)}), IsOk());
  const std::string contents = Contents();
  const std::string incarnation = store_->meta().target_incarnation;
  store_.reset();
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  int refused = 0;
  for (int round = 0; round < 150; ++round) {
    TempDir copy("/dev/shm");
    std::filesystem::copy(directory_.path(), copy.path(), std::filesystem::copy_options::recursive);
    std::vector<std::filesystem::path> files;
    for (const auto& file : std::filesystem::recursive_directory_iterator(copy.path())) {
      const std::string extension = file.path().extension();
      if (file.is_regular_file() && file.file_size() > 0 &&
          (extension == ".sst" || extension == ".log" || file.path().filename().string().starts_with("MANIFEST")))
        files.push_back(file.path());
    }
    ASSERT_GE(files.size(), 3u);
    const auto& file = files[random() % files.size()];
    std::string bytes = ReadAll(file);
    const size_t bit = random() % (8 * bytes.size());
    bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
    WriteAll(file, bytes);
    SCOPED_TRACE(testing::Message() << file << " bit " << bit);
    const auto opened = RegionStore::Open(copy.path(), "us-west");
    refused += !opened.ok();
    if (!opened.ok() || (*opened)->meta().target_incarnation != incarnation) continue;
    store_ = nullptr;
    std::string found;
    const absl::Status status =
        (*opened)->ForEach(std::nullopt, [&](const RegionObject& object) { return found += object.id.name, true; });
    EXPECT_TRUE(!status.ok() || found == "abcd") << found;
  }
  EXPECT_GT(refused, 0);
}

// Against a model that is a map and the rule.
TEST_F(RegionStoreTest, RandomOperationsAgreeWithAModel) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::map<ObjectId, RegionObject> model;
  uint64_t floor = 0;
  uint64_t head = 0;
  for (int step = 0; step < 1500; ++step) {
    const int choice = random() % 20;
    if (choice == 0) {
      Reopen();
    } else if (choice == 1) {
      floor = std::max<uint64_t>(floor, head - std::min<uint64_t>(head, random() % 10));
      ASSERT_THAT(store_->RaiseFloor(floor), IsOk());
      std::erase_if(model, [&](const auto& entry) {
        return entry.second.version.operation == Operation::kDelete && entry.second.version.revision <= floor;
      });
    } else {
      const std::string name(1, static_cast<char>('a' + random() % 8));
      ++head;
      const uint64_t revision = head - std::min<uint64_t>(head - 1, random() % 6);
      const RegionObject change =
          random() % 3 == 0 ? Tombstone(SetId(name), revision) : Object(name, revision, "v" + std::to_string(revision));
      const auto held = model.find(change.id);
      const Verdict expected =
          Judge(change.version, held == model.end() ? std::nullopt : std::optional(held->second.version), floor);
      ASSERT_EQ(Commit(change), expected) << "step " << step;
      if (expected == Verdict::kApply || expected == Verdict::kDelete) model[change.id] = change;
    }
    std::string expected;
    size_t live = 0;
    for (const auto& [id, object] : model) {
      expected += id.name + "@" + std::to_string(object.version.revision);
      expected += object.version.operation == Operation::kApply ? "=" + object.sealed_object + " " : "- ";
      live += object.version.operation == Operation::kApply;
    }
    ASSERT_EQ(Contents(), expected) << "step " << step;
    ASSERT_EQ(store_->object_count(), live);
  }
}

}  // namespace
}  // namespace keyferry

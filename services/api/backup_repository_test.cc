#include "services/api/backup_repository.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/escaping.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/backup_files.h"
#include "services/api/testing/backup_scene.h"

namespace keyferry {
namespace {

using testing::HasSubstr;

const absl::Time kTime = absl::FromUnixSeconds(1'795'411'800);
const Revision kRevision = WithLineage(4711, 1);

class BackupRepositoryTest : public testing::Test {
 protected:
  BackupRepositoryTest() {
    std::filesystem::create_directories(source_ + "/db");
    WriteFile(source_ + "/db/000001.sst", std::string(100'000, 's'));
    WriteFile(source_ + "/db/CURRENT", "MANIFEST-000004\n");
    WriteFile(source_ + "/watermark", "w");
  }

  BackupRepository Repository() {
    return BackupRepository({.directory = backups_,
                             .keys = keys_.Find(),
                             .free_bytes = [this](const std::string&) { return free_bytes_; },
                             .before_step = before_step_});
  }
  absl::StatusOr<BackupManifest> Write(absl::Duration later = absl::ZeroDuration(), Revision revision = kRevision) {
    return Repository().Write(source_, {.create_time = kTime + later,
                                        .revision = revision,
                                        .root_key_ids = {"root-1"},
                                        .ledger = {3, std::string(32, 'h')}});
  }
  std::vector<std::string> Names() {
    const auto list = Repository().List();
    EXPECT_THAT(list, IsOk());
    EXPECT_TRUE(list->problems.empty());
    std::vector<std::string> names;
    for (const BackupManifest& manifest : list->backups) names.push_back(manifest.name);
    return names;
  }
  std::string ManifestPath(const BackupManifest& manifest) { return backups_ + "/manifests/" + manifest.name; }
  std::vector<std::string> Objects() {
    std::vector<std::string> paths;
    for (const std::string& file : FilesOf(backups_ + "/objects")) paths.push_back(backups_ + "/objects/" + file);
    return paths;
  }

  TempDir directory_;
  const std::string source_ = directory_.File("source"), backups_ = directory_.File("backups");
  FakeBackupKeys keys_;
  std::optional<int64_t> free_bytes_;
  std::function<absl::Status(std::string_view)> before_step_;
};

TEST_F(BackupRepositoryTest, ABackupSaysWhatItHasAndComesBackFileByFile) {
  const auto made = Write();
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->name, "20261123T053000Z-1-4711");
  EXPECT_EQ(made->total_bytes, 100'017);
  EXPECT_EQ(made->new_bytes, 100'017);
  const auto read = Repository().Get(made->name);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->create_time, kTime);
  EXPECT_EQ(read->revision, kRevision);
  EXPECT_EQ(read->root_key_ids, std::set<std::string>{"root-1"});
  EXPECT_EQ(read->ledger, (LedgerPosition{3, std::string(32, 'h')}));
  ASSERT_EQ(read->files.size(), 3u);
  EXPECT_THAT(Repository().Verify(*read), IsOk());
  ASSERT_THAT(Repository().Extract(*read, read->files[0], directory_.File("extracted")), IsOk());
  EXPECT_EQ(read->files[0].path, "db/000001.sst");
  EXPECT_EQ(ReadFile(directory_.File("extracted")), std::string(100'000, 's'));
}

TEST_F(BackupRepositoryTest, TheNextOneCopiesWhatIsNewAndListsFirst) {
  ASSERT_THAT(Write(), IsOk());
  WriteFile(source_ + "/db/000002.sst", std::string(50, 'n'));
  const auto second = Write(absl::Hours(1), kRevision + 1);
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(second->total_bytes, 100'067);
  EXPECT_EQ(second->new_bytes, 50);
  EXPECT_EQ(Objects().size(), 4u);
  EXPECT_THAT(Names(), testing::ElementsAre("20261123T063000Z-1-4712", "20261123T053000Z-1-4711"));
}

TEST_F(BackupRepositoryTest, NothingInItShowsNamesOrContents) {
  WriteFile(source_ + "/db/000003.sst", "acme\0customer-name");
  ASSERT_THAT(Write(), IsOk());
  for (const std::string& file : FilesOf(backups_)) {
    for (const char* word : {"acme", "customer-name", "ssss", "sst", "CURRENT", "root-1"}) {
      EXPECT_THAT(file, testing::Not(HasSubstr(word)));
      EXPECT_THAT(ReadFile(backups_ + "/" + file), testing::Not(HasSubstr(word)));
    }
  }
}

TEST_F(BackupRepositoryTest, ACrashAtAnyStepLeavesTheBackupsBeforeAndTheNextOneSucceeds) {
  ASSERT_THAT(Write(), IsOk());
  int steps = 0;
  for (bool ended = false; !ended; ++steps) {
    WriteFile(source_ + "/db/000002.sst", "new " + std::to_string(steps));
    int left = steps;
    before_step_ = [&left](std::string_view) {
      return left-- > 0 ? absl::OkStatus() : absl::UnavailableError("crash");
    };
    const auto made = Write(absl::Minutes(steps + 1));
    ended = made.ok();
    before_step_ = nullptr;
    // Whole, or not there.
    for (const std::string& name : Names()) EXPECT_THAT(Repository().Verify(*Repository().Get(name)), IsOk()) << steps;
    EXPECT_THAT(Names(), testing::Contains("20261123T053000Z-1-4711"));
    const auto again = Write(absl::Minutes(steps + 1) + absl::Seconds(30));
    ASSERT_THAT(again, IsOk()) << steps;
    EXPECT_THAT(Repository().Verify(*again), IsOk());
    EXPECT_TRUE(NamesIn(backups_ + "/incoming")->empty());
  }
  EXPECT_GT(steps, 8);
}

TEST_F(BackupRepositoryTest, NoByteOfAnObjectOrManifestCanBeChanged) {
  WriteFile(source_ + "/db/000001.sst", "small");
  const auto made = Write();
  ASSERT_THAT(made, IsOk());
  for (const std::string& path : Objects()) {
    for (const size_t offset : {size_t{0}, size_t{40}, ReadFile(path).size() - 1}) {
      FlipBit(path, offset);
      EXPECT_THAT(Repository().Verify(*made), StatusIs(absl::StatusCode::kDataLoss));
      FlipBit(path, offset);
    }
  }
  const std::string manifest = ManifestPath(*made);
  for (size_t i = 0; i < ReadFile(manifest).size(); ++i) {
    FlipBit(manifest, i);
    const auto read = Repository().Get(made->name);
    EXPECT_FALSE(read.ok()) << i;
    EXPECT_THAT(read.status().message(), HasSubstr(made->name));
    EXPECT_EQ(Repository().List()->problems.size(), 1u);
    FlipBit(manifest, i);
  }
  EXPECT_THAT(Repository().Verify(*Repository().Get(made->name)), IsOk());
}

TEST_F(BackupRepositoryTest, ObjectsAndManifestsInEachOthersPlaceAreRefused) {
  const auto first = Write();
  WriteFile(source_ + "/db/000001.sst", std::string(100'000, 't'));
  const auto second = Write(absl::Hours(1));
  ASSERT_THAT(second, IsOk());
  const std::vector<std::string> objects = Objects();
  ASSERT_EQ(objects.size(), 4u);
  for (size_t i = 1; i < objects.size(); ++i) {
    const std::string one = ReadFile(objects[0]), other = ReadFile(objects[i]);
    WriteFile(objects[0], other);
    WriteFile(objects[i], one);
    EXPECT_TRUE(absl::IsDataLoss(Repository().Verify(*first)) || absl::IsDataLoss(Repository().Verify(*second)));
    WriteFile(objects[0], one);
    WriteFile(objects[i], other);
  }
  WriteFile(ManifestPath(*first), ReadFile(ManifestPath(*second)));
  EXPECT_THAT(Repository().Get(first->name), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(BackupRepositoryTest, AnotherKeyringIsToldWhatItLacks) {
  const auto made = Write();
  keys_ = FakeBackupKeys(std::string(20, 'b'));
  EXPECT_THAT(Repository().Get(made->name), StatusIs(absl::StatusCode::kFailedPrecondition));
  keys_ = FakeBackupKeys();
  EXPECT_THAT(Repository().Get(made->name), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(BackupRepositoryTest, ExpiredBackupsGoWithWhatOnlyTheyHadAndTheNewestThreeStay) {
  ASSERT_THAT(Write(), IsOk());
  WriteFile(source_ + "/db/000001.sst", "replaced");
  const auto second = Write(absl::Hours(1)), third = Write(absl::Hours(2)), fourth = Write(absl::Hours(3));
  ASSERT_THAT(Repository().Prune(kTime), IsOk());
  EXPECT_EQ(Names().size(), 4u);
  EXPECT_EQ(Objects().size(), 4u);
  ASSERT_THAT(Repository().Prune(kTime + absl::Seconds(1)), IsOk());
  EXPECT_THAT(Names(), testing::ElementsAre(fourth->name, third->name, second->name));
  EXPECT_EQ(Objects().size(), 3u);
  EXPECT_THAT(Repository().Verify(*second), IsOk());
  ASSERT_THAT(Repository().Prune(absl::InfiniteFuture()), IsOk());
  EXPECT_THAT(Names(), testing::ElementsAre(fourth->name, third->name, second->name));
}

TEST_F(BackupRepositoryTest, TheNewestIsOfTheHighestRevisionWhateverTheClockWas) {
  const auto ahead = Write(absl::Hours(9000));
  const auto more = Write(absl::ZeroDuration(), kRevision + 1000);
  const auto restored = Write(absl::Hours(1), WithLineage(7, 2));
  EXPECT_THAT(Names(), testing::ElementsAre(restored->name, more->name, ahead->name));
}

TEST_F(BackupRepositoryTest, NoObjectGoesWithoutAManifest) {
  const auto made = Write();
  std::filesystem::rename(backups_ + "/manifests", backups_ + "/elsewhere");
  ASSERT_THAT(Repository().Prune(absl::InfiniteFuture()), IsOk());
  EXPECT_EQ(Objects().size(), 3u);
  std::filesystem::rename(backups_ + "/elsewhere", backups_ + "/manifests");
  EXPECT_THAT(Repository().Verify(*made), IsOk());
}

TEST_F(BackupRepositoryTest, ADirectoryThatCannotBeLookedAtIsNoEmptyOne) {
  // A link that leads to itself: also root cannot pass.
  std::filesystem::create_symlink("loop", directory_.File("loop"));
  for (const std::string& path : {directory_.File("loop/manifests"), directory_.File("loop")}) {
    EXPECT_THAT(NamesIn(path), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT(FilesBelow(path), StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_THAT(BackupRepository({.directory = directory_.File("loop"), .keys = keys_.Find()}).List(),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(BackupRepositoryTest, ADamagedManifestKeepsAllObjectsUntilItExpires) {
  const auto first = Write();
  WriteFile(source_ + "/db/000001.sst", "replaced");
  ASSERT_THAT(Write(absl::Hours(1)), IsOk());
  FlipBit(ManifestPath(*first), 60);
  ASSERT_THAT(Repository().Prune(absl::InfinitePast()), IsOk());
  EXPECT_EQ(Objects().size(), 4u);
  FlipBit(ManifestPath(*first), 60);
  EXPECT_THAT(Repository().Verify(*first), IsOk());
  FlipBit(ManifestPath(*first), 0);
  ASSERT_THAT(Repository().Prune(kTime + absl::Seconds(1)), IsOk());
  EXPECT_EQ(Objects().size(), 3u);
}

TEST_F(BackupRepositoryTest, ARotatedKeyWritesEverythingAnewAndADestroyedOnesBackupsGoWhenTheyExpire) {
  ASSERT_THAT(Write(), IsOk());
  keys_.Add(std::string(20, 'b'));
  const auto second = Write(absl::Hours(1));
  EXPECT_EQ(second->new_bytes, second->total_bytes);
  EXPECT_EQ(Names().size(), 2u);
  keys_.Destroy(std::string(20, 'a'));
  EXPECT_THAT(Repository().List()->problems, testing::ElementsAre(StatusIs(absl::StatusCode::kFailedPrecondition)));
  ASSERT_THAT(Repository().Prune(kTime + absl::Seconds(1)), IsOk());
  EXPECT_EQ(Objects().size(), 3u);
  EXPECT_FALSE(std::filesystem::exists(backups_ + "/objects/" + std::string(20, 'a')));
}

TEST_F(BackupRepositoryTest, ADiskWithOneByteTooFewIsRefusedAndNothingIsWritten) {
  int64_t needed = kMinFreeBackupBytes + (int64_t{1} << 20);
  for (const int64_t bytes : {100'000, 16, 1}) needed += SealedObjectBytes(bytes);
  free_bytes_ = needed - 1;
  EXPECT_THAT(Write(), FailsWith(absl::StatusCode::kResourceExhausted, "BACKUP_DISK_FULL"));
  EXPECT_TRUE(Objects().empty());
  EXPECT_TRUE(Names().empty());
  free_bytes_ = needed;
  EXPECT_THAT(Write(), IsOk());
}

TEST_F(BackupRepositoryTest, TwoDoNotWriteAtOnce) {
  absl::Status other;
  before_step_ = [&](std::string_view) {
    other = BackupRepository({.directory = backups_, .keys = keys_.Find()}).Prune(absl::InfinitePast());
    return absl::OkStatus();
  };
  ASSERT_THAT(Write(), IsOk());
  EXPECT_THAT(other, StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(BackupRepositoryTest, NamesThatAreNoBackupsAreNotFound) {
  for (const char* name : {"", "x", "../manifests", "20261123T053000Z-1", "20261123T053000Z-1-x",
                           "20261123T253000Z-1-1", "20261123T053000Z-1-1"}) {
    EXPECT_THAT(Repository().Get(name), StatusIs(absl::StatusCode::kNotFound)) << name;
  }
  EXPECT_TRUE(Names().empty());
}

}  // namespace
}  // namespace keyferry

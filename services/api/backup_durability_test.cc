// What of a backup is on the disk when it is answered. In a program of its own, whose fsync tells which files it was
// asked for.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>

#include "libs/common/testing/status_matchers.h"
#include "services/api/backup_repository.h"
#include "services/api/testing/backup_scene.h"

namespace keyferry {
namespace {

std::mutex mutex;
// By inode: the size that it had at its last sync.
std::map<ino_t, off_t> synced;

void Note(int descriptor) {
  struct stat found {};
  if (fstat(descriptor, &found) != 0) return;
  const std::lock_guard lock(mutex);
  synced[found.st_ino] = found.st_size;
}

}  // namespace
}  // namespace keyferry

extern "C" int fsync(int descriptor) {
  keyferry::Note(descriptor);
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

namespace keyferry {
namespace {

TEST(BackupDurabilityTest, EveryFileAndEveryNameIsSyncedBeforeTheAnswer) {
  const TempDir directory;
  const std::string source = directory.File("source"), backups = directory.File("backups");
  std::filesystem::create_directories(source + "/db");
  WriteFile(source + "/db/000001.sst", std::string(300'000, 's'));
  WriteFile(source + "/watermark", "w");
  const FakeBackupKeys keys;
  const BackupRepository repository({.directory = backups, .keys = keys.Find()});
  ASSERT_THAT(repository.Write(source, {.create_time = absl::FromUnixSeconds(1'795'411'800), .revision = 1}), IsOk());
  int files = 0, directories = 0;
  const std::lock_guard lock(mutex);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(backups)) {
    struct stat found {};
    ASSERT_EQ(stat(entry.path().c_str(), &found), 0);
    const auto sync = synced.find(found.st_ino);
    // Locks hold nothing, and what arrives is renamed away before the answer.
    if ((entry.is_regular_file() && found.st_size == 0) || entry.path().filename() == "incoming") continue;
    ASSERT_NE(sync, synced.end()) << entry.path();
    if (entry.is_directory()) {
      ++directories;
    } else {
      EXPECT_EQ(sync->second, found.st_size) << entry.path();
      ++files;
    }
  }
  EXPECT_EQ(files, 3);
  EXPECT_GE(directories, 4);
}

}  // namespace
}  // namespace keyferry

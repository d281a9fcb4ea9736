#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "services/provisioner/file_sink.h"
#include "services/provisioner/testing/memory_sink.h"
#include "services/provisioner/testing/object_sealer.h"
#include "services/provisioner/testing/sink_conformance.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;

constexpr char kTmpfs[] = "/dev/shm";

INSTANTIATE_TEST_SUITE_P(Memory, SinkConformance,
                         ::testing::Values([] { return SinkUnderTest{.sink = std::make_unique<MemorySink>()}; }));
INSTANTIATE_TEST_SUITE_P(Files, SinkConformance, ::testing::Values([] {
                           auto directory = std::make_shared<TempDir>(kTmpfs);
                           auto sink = NewFileSink({.root = directory->path()}).value();
                           return SinkUnderTest{.ground = directory, .sink = std::move(sink)};
                         }));

std::string Read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class FileSinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<Sink> Open() { return NewFileSink({.root = directory_.path()}).value(); }
  size_t DataDirectoryCount() const {
    const auto all = std::filesystem::directory_iterator(directory_.File(".data"));
    return std::distance(begin(all), end(all));
  }
  TempDir directory_{kTmpfs};
};

TEST_F(FileSinkTest, WritesOneReadOnlyFileAKey) {
  const auto sink = Open();
  ASSERT_THAT(sink->Apply(Opened(SetId("env"), 1, {{"KEY", "one"}})), IsOk());
  const std::string path = directory_.File("sets/acme/env/KEY");
  EXPECT_EQ(Read(path), "one");
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0400u);
  for (const char* directory : {"", "sets", "sets/acme", "sets/acme/env", ".data"}) {
    ASSERT_EQ(stat(directory_.File(directory).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u) << directory;
  }
}

TEST_F(FileSinkTest, WritesPullCredentialsAsContainerRuntimesReadThem) {
  const auto sink = Open();
  OpenedObject object = Opened(SetId("registry"), 1, {});
  object.pull_credentials = OpenedPullCredentials{.host = "ghcr.io/", .auth = SecretBytes::Copy("dTp0")};
  ASSERT_THAT(sink->Apply(object), IsOk());
  EXPECT_EQ(Read(directory_.File("sets/acme/registry/.dockerconfigjson")), R"({"auths":{"ghcr.io/":{"auth":"dTp0"}}})");
}

TEST_F(FileSinkTest, LeavesNoOldVersionBehind) {
  const auto sink = Open();
  for (int revision = 1; revision <= 5; ++revision)
    ASSERT_THAT(sink->Apply(Opened(SetId("env"), revision, {{"KEY", "one"}})), IsOk());
  EXPECT_EQ(DataDirectoryCount(), 1u);
  ASSERT_THAT(sink->Remove(SetId("env")), IsOk());
  EXPECT_EQ(DataDirectoryCount(), 0u);
  EXPECT_FALSE(std::filesystem::exists(directory_.File("sets/acme")));
}

TEST_F(FileSinkTest, SweepsTheLeftoversOfACrashWhenOpened) {
  ASSERT_THAT(Open()->Apply(Opened(SetId("env"), 1, {{"KEY", "one"}})), IsOk());
  std::filesystem::create_directory(directory_.File(".data/2-half"));
  std::ofstream(directory_.File(".data/2-half/KEY")) << "half";
  std::filesystem::create_symlink("../../.data/2-half", directory_.File(".data/2-half.link"));
  const auto sink = Open();
  EXPECT_EQ(DataDirectoryCount(), 1u);
  EXPECT_THAT(sink->Verify(Opened(SetId("env"), 1, {{"KEY", "one"}})), IsOk());
}

TEST_F(FileSinkTest, SeesAFileThatSomebodyChangedRemovedOrAdded) {
  const auto sink = Open();
  const OpenedObject object = Opened(SetId("env"), 1, {{"KEY", "one"}});
  const std::string path = directory_.File("sets/acme/env/KEY");
  ASSERT_THAT(sink->Apply(object), IsOk());
  std::ofstream(directory_.File("sets/acme/env/OTHER")) << "x";
  EXPECT_THAT(sink->Verify(object), StatusIs(absl::StatusCode::kDataLoss));
  ASSERT_THAT(sink->Apply(object), IsOk());
  std::filesystem::remove(path);
  std::ofstream(path) << "two";
  EXPECT_THAT(sink->Verify(object), StatusIs(absl::StatusCode::kDataLoss));
  ASSERT_THAT(sink->Apply(object), IsOk());
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/etc/hostname", path);
  EXPECT_FALSE(sink->Verify(object).ok());
  ASSERT_THAT(sink->Apply(object), IsOk());
  EXPECT_THAT(sink->Verify(object), IsOk());
}

TEST_F(FileSinkTest, RefusesNamesThatWouldLeaveItsDirectory) {
  const auto sink = Open();
  for (const char* name : {"..", "../x", "a/b", ".hidden", ""}) {
    EXPECT_FALSE(sink->Apply(Opened(SetId(name), 1, {{"KEY", "one"}})).ok()) << name;
  }
  EXPECT_FALSE(sink->Apply(Opened(SetId("env"), 1, {{"../KEY", "one"}})).ok());
  EXPECT_EQ(DataDirectoryCount(), 0u);
}

TEST_F(FileSinkTest, DoesNotFollowALinkInTheWay) {
  const auto sink = Open();
  TempDir elsewhere(kTmpfs);
  std::filesystem::create_symlink(elsewhere.path(), directory_.File("sets"));
  EXPECT_FALSE(sink->Apply(Opened(SetId("env"), 1, {{"KEY", "one"}})).ok());
  EXPECT_TRUE(std::filesystem::is_empty(elsewhere.path()));
  EXPECT_EQ(DataDirectoryCount(), 0u);
}

TEST_F(FileSinkTest, ShowsAgainInADirectoryThatSomebodyRemoved) {
  const auto sink = Open();
  ASSERT_THAT(sink->Apply(Opened(SetId("one"), 1, {{"KEY", "one"}})), IsOk());
  for (const char* removed : {"sets/acme", "sets"}) {
    std::filesystem::remove_all(directory_.File(removed));
    const OpenedObject object = Opened(SetId("two"), 2, {{"KEY", "two"}});
    ASSERT_THAT(sink->Apply(object), IsOk()) << removed;
    EXPECT_THAT(sink->Verify(object), IsOk()) << removed;
    EXPECT_EQ(Read(directory_.File("sets/acme/two/KEY")), "two");
  }
}

TEST_F(FileSinkTest, NoticesThatADirectoryWasMovedAndShowsInItsPlaceTheNextTime) {
  const auto sink = Open();
  ASSERT_THAT(sink->Apply(Opened(SetId("one"), 1, {{"KEY", "one"}})), IsOk());
  std::filesystem::rename(directory_.File("sets/acme"), directory_.File("sets/moved"));
  const OpenedObject object = Opened(SetId("two"), 2, {{"KEY", "two"}});
  ASSERT_THAT(sink->Apply(object), IsOk());
  EXPECT_THAT(sink->Verify(object), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_THAT(sink->Apply(object), IsOk());
  EXPECT_THAT(sink->Verify(object), IsOk());
}

TEST_F(FileSinkTest, ShowsObjectsOfMoreOrganizationsThanItKeepsOpen) {
  const auto sink = Open();
  for (int round = 1; round <= 2; ++round) {
    for (int i = 0; i < 66; ++i) {
      ObjectId id = SetId("env");
      id.organization = "organization-" + std::to_string(i);
      const OpenedObject object = Opened(id, round, {{"KEY", id.organization + std::to_string(round)}});
      ASSERT_THAT(sink->Apply(object), IsOk());
      ASSERT_THAT(sink->Verify(object), IsOk());
    }
  }
  EXPECT_EQ(DataDirectoryCount(), 66u);
}

TEST_F(FileSinkTest, ShowsAnOrganizationsFirstSetAfterItsLastWasRemoved) {
  const auto sink = Open();
  for (int revision = 1; revision <= 3; ++revision) {
    const OpenedObject object = Opened(SetId("env"), revision, {{"KEY", "one"}});
    ASSERT_THAT(sink->Apply(object), IsOk());
    ASSERT_THAT(sink->Verify(object), IsOk());
    ASSERT_THAT(sink->Remove(SetId("env")), IsOk());
  }
  EXPECT_EQ(DataDirectoryCount(), 0u);
}

TEST_F(FileSinkTest, RefusesADirectoryThatIsNotSafe) {
  const auto refusal = [](const std::string& root) {
    return std::string(NewFileSink({.root = root}).status().message());
  };
  ASSERT_EQ(chmod(directory_.path().c_str(), 0710), 0);
  EXPECT_THAT(refusal(directory_.path()), HasSubstr("chmod it to 0700"));
  ASSERT_EQ(chmod(directory_.path().c_str(), 0700), 0);
  std::filesystem::create_directory_symlink(directory_.path(), directory_.File("link"));
  EXPECT_THAT(refusal(directory_.File("link")), HasSubstr("no link"));
  std::filesystem::remove(directory_.File("link"));
  const auto sink = Open();
  EXPECT_THAT(refusal(directory_.path()), HasSubstr("another provisioner"));
}

TEST_F(FileSinkTest, TakesADiskOnlyWhenItIsAllowed) {
  TempDir disk("/var/tmp");
  const auto sink = NewFileSink({.root = disk.path()});
  ASSERT_THAT(sink, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(std::string(sink.status().message()), HasSubstr("tmpfs"));
  EXPECT_THAT(NewFileSink({.root = disk.path(), .allow_disk = true}), IsOk());
}

// Reads as the header of FileSink tells: opens the directory once, and reads again when the link changed meanwhile.
// Empty when there was nothing to read.
std::vector<std::string> ReadConsistently(const std::string& link, const std::vector<std::string>& keys) {
  while (true) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(link, error);
    if (error) return {};
    const int directory = open(link.c_str(), O_RDONLY | O_DIRECTORY);
    std::vector<std::string> values;
    for (const std::string& key : keys) {
      char bytes[64];
      const int file = openat(directory, key.c_str(), O_RDONLY);
      const ssize_t size = read(file, bytes, sizeof(bytes));
      if (size >= 0) values.emplace_back(bytes, static_cast<size_t>(size));
      close(file);
    }
    close(directory);
    if (values.size() == keys.size()) return values;
    if (std::filesystem::read_symlink(link, error) == target) return values;
  }
}

TEST_F(FileSinkTest, AReaderNeverSeesAMixtureOfTwoVersionsNorNothing) {
  const auto sink = Open();
  const auto version = [](int number) {
    const std::string value = std::to_string(number);
    return Opened(SetId("env"), number, {{"A", value}, {"B", value}, {"C", value}});
  };
  ASSERT_THAT(sink->Apply(version(1)), IsOk());
  std::atomic<bool> stop = false;
  std::atomic<int> reads = 0;
  int wrong = 0;
  std::thread reader([&] {
    for (; !stop; ++reads) {
      const auto values = ReadConsistently(directory_.File("sets/acme/env"), {"A", "B", "C"});
      wrong += values.size() != 3 || values[0] != values[1] || values[1] != values[2];
    }
  });
  for (int number = 2; number <= 2000 || reads < 500; ++number) ASSERT_THAT(sink->Apply(version(number)), IsOk());
  stop = true;
  reader.join();
  EXPECT_EQ(wrong, 0) << "of " << reads;
}

}  // namespace
}  // namespace keyferry

// The store at its failpoints: what an error in the middle of opening, backing up and purging leaves, and what an
// answer waits for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "libs/common/failpoint.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/keyring.h"
#include "libs/crypto/keyring_file.h"
#include "libs/storage/rocksdb_store.h"

namespace keyferry {
namespace {

using failpoint::Armed;
using failpoint::PassCount;

// Far longer than an answer takes, once it is given.
constexpr absl::Duration kNotAnswered = absl::Milliseconds(100);

std::vector<std::string> NamesThatFail(const std::vector<std::string>& beginnings) {
  std::vector<std::string> names;
  for (const auto& each : failpoint::kFailpoints) {
    const std::string name(each.name);
    const auto begins = [&](const std::string& beginning) { return absl::StartsWith(name, beginning); };
    if (each.can_fail && std::any_of(beginnings.begin(), beginnings.end(), begins)) names.push_back(name);
  }
  return names;
}

class FailpointStoreTest : public testing::Test {
 protected:
  absl::Status Open() {
    store_.reset();
    auto opened = OpenRocksDbStore({.path = directory_.File("store"), .disk = {.ballast_bytes = 0}});
    if (!opened.ok()) return opened.status();
    store_ = *std::move(opened);
    auto term = store_->AcquireWriter(Lineage::kKeep);
    if (!term.ok()) return term.status();
    term_ = *term;
    return absl::OkStatus();
  }
  Commit Write(const std::string& key) {
    return {.term = term_, .mutations = {{.key = {Family::kSets, key}, .value = "value"}}};
  }
  // Everything that syncs, renames or marks; the first error of it.
  absl::Status DoAll(const std::string& name) {
    absl::Status status = Open();
    if (status.ok()) status = CommitAndWait(*store_, Write(name)).status();
    if (status.ok()) written_.push_back(name);
    if (status.ok()) status = store_->Backup(directory_.File(absl::StrCat("backup-", name)));
    if (status.ok()) status = store_->Purge({{.begin = {Family::kSets, ""}, .end = ""}});
    store_.reset();
    return status;
  }
  void ExpectAllIsThere() {
    ASSERT_THAT(Open(), IsOk());
    for (const std::string& key : written_) {
      const auto row = store_->Get({Family::kSets, key});
      ASSERT_THAT(row, IsOk());
      EXPECT_TRUE(row->has_value()) << key;
    }
    store_.reset();
  }

  const TempDir directory_;
  std::unique_ptr<Store> store_;
  Term term_;
  std::vector<std::string> written_;
};

TEST_F(FailpointStoreTest, NoAnswerComesBeforeTheWrite) {
  ASSERT_THAT(Open(), IsOk());
  absl::Notification answered;
  {
    const Armed armed("store.commit.before_write=pause");
    store_->CommitAsync(Write("key"), [&](const auto&) { answered.Notify(); });
    while (PassCount("store.commit.before_write") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(answered.WaitForNotificationWithTimeout(kNotAnswered));
  }
  answered.WaitForNotification();
}

TEST_F(FailpointStoreTest, NoHeadIsSeenBeforeTheWriteThatMadeIt) {
  ASSERT_THAT(Open(), IsOk());
  const Revision before = store_->Head();
  absl::Notification answered;
  {
    const Armed armed("store.commit.after_write=pause");
    store_->CommitAsync(Write("key"), [&](const auto&) { answered.Notify(); });
    while (PassCount("store.commit.after_write") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(store_->Head(), before);
    // It can be read already; the ceiling is above everything that can.
    const auto row = store_->Get({Family::kSets, "key"});
    ASSERT_TRUE(row.ok() && *row);
    EXPECT_GT((*row)->revision, before);
    EXPECT_GE(store_->Ceiling(), (*row)->revision);
  }
  answered.WaitForNotification();
  EXPECT_GT(store_->Head(), before);
  EXPECT_EQ(store_->Ceiling(), store_->Head());
}

TEST_F(FailpointStoreTest, AnErrorAtAnyOfThemLosesNothingAndTheNextAttemptSucceeds) {
  ASSERT_THAT(DoAll("first"), IsOk());
  for (const std::string& name : NamesThatFail({"store.", "watermark.", "manifest_mark.", "files."})) {
    SCOPED_TRACE(name);
    absl::Status failed;
    bool passed = false;
    {
      const Armed armed(name + "=error@1");
      failed = DoAll(name);
      passed = PassCount(name) > 0;
    }
    // A mark that cannot be written is made up for by the next one.
    const bool may_pass = absl::StartsWith(name, "manifest_mark.") || absl::StartsWith(name, "files.");
    EXPECT_TRUE(may_pass || failed.ok() == !passed) << failed;
    EXPECT_TRUE(failed.ok() || absl::IsUnavailable(failed)) << failed;
    ASSERT_THAT(DoAll(name + "-again"), IsOk());
    ExpectAllIsThere();
  }
}

TEST_F(FailpointStoreTest, AStoreWhoseFirstStartFailedAnywhereStartsAfterAll) {
  int failures = 0;
  for (const std::string& name : NamesThatFail({"store.open.", "watermark.create.", "files."})) {
    SCOPED_TRACE(name);
    std::filesystem::remove_all(directory_.File("store"));
    {
      const Armed armed(name + "=error@1");
      failures += !Open().ok();
    }
    written_.clear();
    ASSERT_THAT(DoAll(absl::StrCat("fresh-", name)), IsOk());
    ExpectAllIsThere();
  }
  EXPECT_GE(failures, 5);
}

TEST(FailpointKeyringTest, AnErrorBeforeTheRenameLeavesTheKeyringAsItWas) {
  const TempDir directory;
  const std::string path = directory.File("keyring");
  ASSERT_THAT(WriteNewKeyringFile(path, "one"), IsOk());
  const auto edit = [](const SecretBytes&) -> absl::StatusOr<SecretBytes> { return SecretBytes::Copy("two"); };
  for (const char* name : {"keyring.before_sync", "keyring.before_rename"}) {
    const Armed armed(absl::StrCat(name, "=error@1"));
    EXPECT_THAT(ReplaceKeyringFile(path, edit), StatusIs(absl::StatusCode::kUnavailable)) << name;
    const auto content = ReadKeyringFile(path, "");
    ASSERT_THAT(content, IsOk());
    EXPECT_EQ(content->Access(), "one") << name;
  }
  const auto entries = std::filesystem::directory_iterator(directory.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1) << "something was left beside it";
}

}  // namespace
}  // namespace keyferry

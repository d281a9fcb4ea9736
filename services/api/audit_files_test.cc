#include "services/api/audit_files.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "libs/common/status_macros.h"
#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/model/audit_verifier.h"
#include "libs/model/testing/audit_chain_example.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::SizeIs;

class AuditFilesTest : public testing::Test {
 protected:
  void Open(off_t max_file_bytes = kMaxAuditFileBytes) {
    files_.reset();
    auto files = AuditFiles::Open(directory_, clock_, max_file_bytes);
    ASSERT_THAT(files, IsOk());
    files_ = *std::move(files);
  }
  // Records `first` to `last` of the example's chain.
  void Write(int first, int last) {
    for (int number = first; number <= last; ++number)
      ASSERT_THAT(files_->Append(chain_[static_cast<size_t>(number - 1)]), IsOk());
    ASSERT_THAT(files_->Sync(), IsOk());
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::string Content(const std::string& name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  absl::Status VerifyAll(AuditVerifier::Options options = {}) const {
    AuditVerifier verifier(std::move(options));
    for (const std::string& name : Names()) {
      std::ifstream file(Path(name));
      for (std::string line; std::getline(file, line);) RETURN_IF_ERROR(verifier.Add(line));
    }
    return verifier.Finish();
  }
  int64_t Number() const { return files_->PositionOf("acme").number; }

  TempDir temp_;
  const std::string directory_ = temp_.File("audit");
  FakeClock clock_;
  std::unique_ptr<AuditFiles> files_;
  const std::vector<AuditRecord> chain_ = ExampleChain(40);
};

TEST_F(AuditFilesTest, WhatIsSyncedIsThereAndForItsOwnerAlone) {
  Open();
  Write(1, 3);
  ASSERT_THAT(Names(), ElementsAre("audit-20231114-000001.jsonl"));
  EXPECT_THAT(VerifyAll(), IsOk());
  struct stat file, directory;
  ASSERT_EQ(stat(Path(Names()[0]).c_str(), &file), 0);
  ASSERT_EQ(stat(directory_.c_str(), &directory), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_EQ(directory.st_mode & 0777, 0700u);
}

TEST_F(AuditFilesTest, ARestartGoesOnWhereTheFileEnds) {
  Open();
  Write(1, 3);
  ASSERT_THAT(files_->Append(SignedHeadOf(chain_[2])), IsOk());
  ASSERT_THAT(files_->Sync(), IsOk());
  Open();
  EXPECT_EQ(Number(), 3);
  EXPECT_EQ(files_->PositionOf("acme").hash, chain_[2].hash);
  EXPECT_EQ(files_->PositionOf("acme").head_number, 3);
  Write(4, 6);
  EXPECT_THAT(Names(), SizeIs(1));
  EXPECT_THAT(VerifyAll(), IsOk());
}

TEST_F(AuditFilesTest, ALineThatACrashToreIsCut) {
  Open();
  Write(1, 3);
  const std::string whole = Content(Names()[0]);
  files_.reset();
  std::ofstream(Path(Names()[0]), std::ios::app) << ToLine(chain_[3]).substr(0, 100);
  Open();
  EXPECT_EQ(Number(), 3);
  EXPECT_EQ(Content(Names()[0]), whole);
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds(""));
  Write(4, 5);
  EXPECT_THAT(VerifyAll(), IsOk());
}

TEST_F(AuditFilesTest, AnotherDayBeginsAnotherFile) {
  Open();
  Write(1, 2);
  clock_.Advance(absl::Hours(24));
  Write(3, 4);
  EXPECT_THAT(Names(), ElementsAre("audit-20231114-000001.jsonl", "audit-20231115-000002.jsonl"));
  EXPECT_THAT(VerifyAll(), IsOk());
  Open();
  EXPECT_EQ(Number(), 4);
}

TEST_F(AuditFilesTest, AFileThatIsFullBeginsAnother) {
  Open(1);
  Write(1, 1);
  Write(2, 2);
  EXPECT_THAT(Names(), SizeIs(2));
  const auto size = static_cast<off_t>(Content(Names()[1]).size());
  // At the limit it is full; a byte below it is not.
  Open(size);
  Write(3, 3);
  EXPECT_THAT(Names(), SizeIs(3));
  const auto next_size = static_cast<off_t>(Content(Names()[2]).size());
  Open(next_size + 1);
  Write(4, 4);
  EXPECT_THAT(Names(), SizeIs(3));
  EXPECT_THAT(VerifyAll(), IsOk());
}

TEST_F(AuditFilesTest, EachFileProvesItselfFromItsStart) {
  Open(1);
  Write(1, 1);
  Write(2, 2);
  std::filesystem::remove(Path(Names()[0]));
  EXPECT_FALSE(VerifyAll().ok());
  EXPECT_THAT(VerifyAll({.accept_starts = true}), IsOk());
}

TEST_F(AuditFilesTest, ADeletedFileIsNoticedAndWrittenAnew) {
  Open();
  Write(1, 3);
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds(""));
  std::filesystem::remove(Path(Names()[0]));
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds("AUDIT_FILE_DELETED"));
  EXPECT_EQ(Number(), 0);
  Write(1, 4);
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds(""));
  EXPECT_THAT(VerifyAll(), IsOk());
}

TEST_F(AuditFilesTest, AFileThatAnotherTookThePlaceOfIsNoticed) {
  Open();
  Write(1, 3);
  const std::string content = Content(Names()[0]);
  std::filesystem::rename(Path(Names()[0]), temp_.File("away"));
  std::ofstream(Path("audit-20231114-000001.jsonl")) << content;
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds("AUDIT_FILE_DELETED"));
  EXPECT_EQ(Number(), 3);
}

TEST_F(AuditFilesTest, ATruncatedFileIsNoticedAndFilledAgain) {
  Open();
  Write(1, 3);
  std::filesystem::resize_file(Path(Names()[0]), Content(Names()[0]).size() - 10);
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds("AUDIT_FILE_TRUNCATED"));
  EXPECT_EQ(Number(), 2);
  Write(3, 5);
  EXPECT_THAT(Names(), SizeIs(1));
  EXPECT_THAT(VerifyAll(), IsOk());
}

TEST_F(AuditFilesTest, AFileThatIsEmptiedIsFollowedByOneThatGoesOnWithTheOneBefore) {
  Open(1);
  Write(1, 2);
  Write(3, 4);
  std::filesystem::resize_file(Path(Names()[1]), 0);
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds("AUDIT_FILE_TRUNCATED"));
  EXPECT_EQ(Number(), 2);
  Write(3, 5);
  EXPECT_THAT(Names(), SizeIs(3));
  EXPECT_THAT(VerifyAll(), IsOk());
}

TEST_F(AuditFilesTest, WhatOthersAppendIsNoticedAndNotBuiltUpon) {
  Open();
  Write(1, 3);
  std::ofstream(Path(Names()[0]), std::ios::app) << "I was here\n";
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds("AUDIT_FILE_CHANGED"));
  EXPECT_EQ(Number(), 3);
  Write(4, 4);
  EXPECT_THAT(Names(), SizeIs(2));
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds(""));
}

TEST_F(AuditFilesTest, WhatItWroteAndDidNotSyncIsNoDamage) {
  Open();
  Write(1, 3);
  // More than is kept in memory.
  for (int i = 0; i < 3000; ++i) ASSERT_THAT(files_->Append(chain_[3]), IsOk());
  ASSERT_GT(Content(Names()[0]).size(), size_t{1} << 20);
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds(""));
}

TEST_F(AuditFilesTest, DamageDoneWhileNobodyLookedIsToldAfterTheStart) {
  Open();
  Write(1, 3);
  files_.reset();
  std::string content = Content(Names()[0]);
  content.replace(content.find("set-2"), 5, "\x01-2");
  std::ofstream(Path(Names()[0])) << content;
  Open();
  EXPECT_EQ(Number(), 1);
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds("AUDIT_FILE_CHANGED"));
}

TEST_F(AuditFilesTest, ADirectoryThatCannotBeWrittenIsRefused) {
  std::ofstream(temp_.File("file")) << "x";
  EXPECT_FALSE(AuditFiles::Open(temp_.File("file"), clock_).ok());
}

// A small file system that is full after some lines.
TEST_F(AuditFilesTest, WhatAFullDiskRefusesIsTakenBackAndWrittenLater) {
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, SIG_IGN);
  Open();
  Write(1, 3);
  const std::string whole = Content(Names()[0]);
  const struct rlimit full = {whole.size() + 700, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  for (int i = 3; i < 8; ++i) ASSERT_THAT(files_->Append(chain_[static_cast<size_t>(i)]), IsOk());
  const absl::Status refused = files_->Sync();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_THAT(refused, StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(Content(Names()[0]), whole);
  EXPECT_EQ(Number(), 3);
  EXPECT_THAT(files_->TakeDamage(), IsOkAndHolds(""));
  Write(4, 8);
  EXPECT_THAT(VerifyAll(), IsOk());
}

}  // namespace
}  // namespace keyferry

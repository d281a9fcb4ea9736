#include "services/api/shred_ledger.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "libs/common/testing/status_matchers.h"
#include "services/api/testing/backup_scene.h"

namespace keyferry {
namespace {

ShredRecord SetRecord(const std::string& name, Revision revision) {
  return {.organization_uid = "acme-uid",
          .organization = "acme",
          .set_uid = name + "-uid",
          .set = name,
          .time = absl::FromUnixSeconds(7),
          .revision = revision};
}

class ShredLedgerTest : public testing::Test {
 protected:
  std::unique_ptr<ShredLedger> Open() {
    auto opened = ShredLedger::Open(path_, keys_.Find());
    EXPECT_THAT(opened, IsOk());
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  // Three records.
  void Fill() {
    const auto ledger = Open();
    ASSERT_THAT(ledger->Append(std::vector{SetRecord("one", 11), SetRecord("two", 12)}), IsOk());
    ASSERT_THAT(ledger->Append(std::vector{SetRecord("three", 13)}), IsOk());
  }
  std::vector<std::string> Lines() { return absl::StrSplit(ReadFile(path_), '\n'); }
  void WriteLines(const std::vector<std::string>& lines) { WriteFile(path_, absl::StrJoin(lines, "\n")); }

  TempDir directory_;
  const std::string path_ = directory_.File("shred-ledger");
  FakeBackupKeys keys_;
};

TEST_F(ShredLedgerTest, WhatWasAppendedIsReadInOrderAlsoAfterItWasOpenedAgain) {
  Fill();
  {
    const auto ledger = Open();
    EXPECT_EQ(ledger->position().count, 3);
    EXPECT_EQ(ledger->last_delete(), 13u);
    ASSERT_THAT(ledger->Append(std::vector{SetRecord("four", 14)}), IsOk());
  }
  const auto read = ReadShredLedger(path_, keys_.Find());
  ASSERT_THAT(read, IsOk());
  ASSERT_EQ(read->records.size(), 4u);
  EXPECT_EQ(read->records[0].set, "one");
  EXPECT_EQ(read->records[3].set_uid, "four-uid");
  EXPECT_EQ(read->records[3].organization, "acme");
  EXPECT_EQ(read->records[3].time, absl::FromUnixSeconds(7));
  EXPECT_EQ(read->position(), Open()->position());
}

TEST_F(ShredLedgerTest, ARecordOfALineageIsNoDelete) {
  const auto ledger = Open();
  ASSERT_THAT(ledger->Append(std::vector{ShredRecord{.revision = WithLineage(99, 3)}}), IsOk());
  EXPECT_EQ(ledger->last_delete(), 0u);
  EXPECT_EQ(ledger->newest_lineage(), 3u);
}

TEST_F(ShredLedgerTest, ItShowsNoNames) {
  Fill();
  EXPECT_THAT(ReadFile(path_), testing::Not(testing::HasSubstr("acme")));
  EXPECT_THAT(ReadFile(path_), testing::Not(testing::HasSubstr("three")));
}

TEST_F(ShredLedgerTest, NoByteCanBeChanged) {
  Fill();
  const size_t size = ReadFile(path_).size();
  for (size_t i = 0; i < size; ++i) {
    FlipBit(path_, i);
    const auto read = ReadShredLedger(path_, keys_.Find());
    EXPECT_FALSE(read.ok()) << i;
    EXPECT_THAT(read.status().message(), testing::HasSubstr(path_)) << i;
    FlipBit(path_, i);
  }
  EXPECT_THAT(ReadShredLedger(path_, keys_.Find()), IsOk());
}

TEST_F(ShredLedgerTest, LinesThatAreDroppedSwappedOrRepeatedDoNotChain) {
  Fill();
  const std::vector<std::string> lines = Lines();
  for (const std::vector<std::string>& changed :
       {std::vector{lines[0], lines[2], lines[3], lines[4]},
        std::vector{lines[0], lines[2], lines[1], lines[3], lines[4]},
        std::vector{lines[0], lines[1], lines[1], lines[2], lines[3], lines[4]}}) {
    WriteLines(changed);
    EXPECT_THAT(ReadShredLedger(path_, keys_.Find()), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(ShredLedger::Open(path_, keys_.Find()), StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST_F(ShredLedgerTest, AnEarlierStateIsPassedAndALostEndIsNot) {
  Fill();
  const LedgerPosition before = Open()->position();
  const std::vector<std::string> lines = Lines();
  WriteLines({lines[0], lines[1], lines[2], ""});
  const auto shorter = ReadShredLedger(path_, keys_.Find());
  ASSERT_THAT(shorter, IsOk());
  EXPECT_FALSE(shorter->Passed(before));
  EXPECT_TRUE(shorter->Passed(shorter->position()));
  LedgerPosition other = shorter->position();
  other.hash[0] = static_cast<char>(other.hash[0] ^ 1);
  EXPECT_FALSE(shorter->Passed(other));
}

TEST_F(ShredLedgerTest, ALineThatACrashCutOffIsRemovedByTheApiAndRefusedByARestore) {
  Fill();
  const std::string whole = ReadFile(path_);
  const size_t last_line = whole.rfind('\n', whole.size() - 2) + 1;
  for (size_t size = last_line + 1; size < whole.size() - 1; ++size) {
    WriteFile(path_, whole.substr(0, size));
    EXPECT_THAT(ReadShredLedger(path_, keys_.Find()), StatusIs(absl::StatusCode::kDataLoss)) << size;
    EXPECT_EQ(Open()->position().count, 2) << size;
    ASSERT_EQ(ReadFile(path_), whole.substr(0, last_line)) << size;
    EXPECT_THAT(ReadShredLedger(path_, keys_.Find()), IsOk()) << size;
  }
}

TEST_F(ShredLedgerTest, AWholeLineIsKeptWhereOnlyItsLineFeedIsMissingOrDamaged) {
  for (const char* ending : {"", "\v"}) {
    Fill();
    const std::string whole = ReadFile(path_);
    WriteFile(path_, whole.substr(0, whole.size() - 1) + ending);
    EXPECT_EQ(Open()->position().count, 3);
    EXPECT_EQ(ReadShredLedger(path_, keys_.Find())->records.size(), 3u);
    std::filesystem::remove(path_);
  }
}

TEST_F(ShredLedgerTest, AfterTheBackupKeyWasRotatedTheOldOneCanBeDestroyed) {
  Fill();
  const LedgerPosition before = Open()->position();
  keys_.Add(std::string(20, 'b'));
  EXPECT_EQ(Open()->position(), before);
  keys_.Destroy(std::string(20, 'a'));
  EXPECT_EQ(Open()->position(), before);
  EXPECT_EQ(ReadShredLedger(path_, keys_.Find())->records.size(), 3u);
}

TEST_F(ShredLedgerTest, AnotherKeyringIsToldSo) {
  Fill();
  const FakeBackupKeys others(std::string(20, 'c'));
  EXPECT_THAT(ReadShredLedger(path_, others.Find()), StatusIs(absl::StatusCode::kFailedPrecondition));
  const FakeBackupKeys same_id;
  EXPECT_THAT(ReadShredLedger(path_, same_id.Find()), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(ShredLedgerTest, ASecondProcessIsRefused) {
  const auto ledger = Open();
  EXPECT_THAT(ShredLedger::Open(path_, keys_.Find()), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ShredLedgerTest, OneThatIsNotThereIsNotFound) {
  EXPECT_THAT(ReadShredLedger(path_, keys_.Find()), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace keyferry

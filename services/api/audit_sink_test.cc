#include "services/api/audit_sink.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "libs/common/status_macros.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/model/audit_verifier.h"
#include "services/api/testing/audit_scene.h"

namespace keyferry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class AuditSinkTest : public testing::Test {
 protected:
  AuditSinkTest() { Open(); }

  void Open() {
    sink_.reset();
    sink_ = std::make_unique<AuditSink>(scene_.writer->store, scene_.clock,
                                        *AuditFiles::Open(directory_.path(), scene_.clock), scene_.key->public_key(),
                                        [this](AuditRow row) { reports_.push_back(row.reason); });
  }
  std::vector<std::string> Paths() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  absl::StatusOr<std::vector<AuditChainSummary>> Verify() const {
    AuditVerifier verifier({.public_keys = {scene_.key->public_key()}, .accept_unsigned_tail = true});
    for (const std::string& path : Paths()) {
      std::ifstream file(path);
      for (std::string line; std::getline(file, line);) RETURN_IF_ERROR(verifier.Add(line));
    }
    RETURN_IF_ERROR(verifier.Finish());
    return verifier.Chains();
  }

  AuditScene scene_;
  TempDir directory_;
  std::unique_ptr<AuditSink> sink_;
  std::vector<std::string> reports_;
};

TEST_F(AuditSinkTest, RecordsAndHeadsOfAllChainsArrive) {
  scene_.Chain(3);
  scene_.Chain(2, "zoo");
  scene_.Chain(1, "");
  ASSERT_THAT(scene_.chainer->SignHeads(AuditChainer::Which::kAll), IsOk());
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  const auto chains = Verify();
  ASSERT_THAT(chains, IsOk());
  ASSERT_THAT(*chains, SizeIs(3));
  EXPECT_EQ((*chains)[1].organization, "acme");
  EXPECT_EQ((*chains)[1].last_number, 3);
  EXPECT_EQ((*chains)[1].signed_number, 3);
  EXPECT_THAT(reports_, IsEmpty());
}

TEST_F(AuditSinkTest, NothingIsWrittenTwice) {
  scene_.Chain(3);
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  const auto size = std::filesystem::file_size(Paths()[0]);
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  EXPECT_EQ(std::filesystem::file_size(Paths()[0]), size);
}

TEST_F(AuditSinkTest, ARestartLeavesNoGapAndNoDouble) {
  for (int i = 0; i < 4; ++i) {
    scene_.Chain(700);
    scene_.clock.Advance(absl::Minutes(1));
    ASSERT_THAT(sink_->CatchUp(), IsOk());
    Open();
  }
  const auto chains = Verify();
  ASSERT_THAT(chains, IsOk());
  EXPECT_EQ((*chains)[0].last_number, 2800);
}

TEST_F(AuditSinkTest, ADeletedFileIsReportedAndWrittenAgainWhole) {
  scene_.Chain(3);
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  std::filesystem::remove(Paths()[0]);
  scene_.Chain(1);
  scene_.clock.Advance(kAuditSignInterval);
  ASSERT_THAT(scene_.chainer->SignHeads(AuditChainer::Which::kDue), IsOk());
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  EXPECT_THAT(reports_, ElementsAre("AUDIT_FILE_DELETED"));
  const auto chains = Verify();
  ASSERT_THAT(chains, IsOk());
  EXPECT_EQ((*chains)[0].last_number, 4);
}

TEST_F(AuditSinkTest, AChainThatWasRewoundIsReportedAndBeginsAFileOfItsOwn) {
  scene_.Chain(5);
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  // Another store with the same organization: as if a backup had been restored.
  AuditScene restored;
  restored.Chain(2);
  restored.Chain(1);
  AuditSink sink(restored.writer->store, restored.clock, *AuditFiles::Open(directory_.path(), restored.clock),
                 restored.key->public_key(),
                 [this](AuditRow row) { reports_.push_back(row.reason + " " + row.organization); });
  ASSERT_THAT(sink.CatchUp(), IsOk());
  EXPECT_THAT(reports_, ElementsAre("AUDIT_CHAIN_REWOUND acme"));
  EXPECT_THAT(Paths(), SizeIs(2));
  // Whoever has both files sees it too.
  EXPECT_THAT(Verify(), FailsWith(absl::StatusCode::kDataLoss, "AUDIT_TRAIL_BROKEN"));
  std::filesystem::remove(Paths()[0]);
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditSinkTest, TheLagCountsFromTheFirstFailureToTheNextSuccess) {
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  scene_.Chain(1);
  EXPECT_EQ(sink_->lag(), absl::ZeroDuration());
  const struct rlimit full = {10, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  const absl::Status refused = sink_->CatchUp();
  scene_.clock.Advance(absl::Minutes(3));
  const absl::Status refused_again = sink_->CatchUp();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_FALSE(refused.ok());
  EXPECT_FALSE(refused_again.ok());
  EXPECT_EQ(sink_->lag(), absl::Minutes(3));
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  EXPECT_EQ(sink_->lag(), absl::ZeroDuration());
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditSinkTest, ADamagedRecordIsReportedAndItsChainGoesOnBehindAStart) {
  scene_.Chain(5);
  scene_.Chain(2, "zoo");
  for (const int64_t number : {2, 3, 5}) scene_.Damage(keys::AuditRecord("acme", number));
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  EXPECT_THAT(reports_, ElementsAre("AUDIT_RECORD_DAMAGED", "AUDIT_RECORD_DAMAGED", "AUDIT_RECORD_DAMAGED"));
  const auto files = *AuditFiles::Open(directory_.path(), scene_.clock);
  EXPECT_EQ(files->PositionOf("acme").number, 5);
  EXPECT_EQ(files->PositionOf("acme").hash, scene_.HeadRow().hash);
  EXPECT_EQ(files->PositionOf("zoo").number, 2);
  EXPECT_EQ(sink_->lag(), absl::ZeroDuration());
  scene_.Chain(1);
  Open();
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  EXPECT_THAT(reports_, SizeIs(3));
  // Whoever verifies the files learns of it too.
  EXPECT_THAT(Verify(), FailsWith(absl::StatusCode::kDataLoss, "AUDIT_TRAIL_BROKEN"));
}

TEST_F(AuditSinkTest, AChainThatTheStoreDoesNotGiveHoldsUpNoOther) {
  scene_.Chain(1);
  scene_.Chain(1, "zoo");
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailScan, .skip = 1});
  EXPECT_THAT(sink_->CatchUp(), StatusIs(absl::StatusCode::kUnavailable));
  scene_.clock.Advance(absl::Minutes(1));
  EXPECT_EQ(sink_->lag("acme"), absl::Minutes(1));
  EXPECT_EQ(sink_->lag("zoo"), absl::ZeroDuration());
  EXPECT_EQ(sink_->lag(), absl::Minutes(1));
  ASSERT_THAT(sink_->CatchUp(), IsOk());
  EXPECT_EQ(sink_->lag(), absl::ZeroDuration());
  EXPECT_THAT(Verify(), IsOk());
}

}  // namespace
}  // namespace keyferry

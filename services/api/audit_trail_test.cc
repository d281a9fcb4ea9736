#include "services/api/audit_trail.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/synchronization/notification.h"
#include "libs/common/error.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "services/api/audit_files.h"
#include "services/api/audit_queue.h"
#include "services/api/testing/audit_scene.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const Caller kMember{
    .principal = "apiKey:AAAAAAAAAA", .organization = "acme", .role = Role::kMember, .request_id = "req-1"};

// What RunTransaction puts into commits.
class AuditedCommitTest : public testing::Test {
 protected:
  absl::StatusOr<Revision> Run(TransactionPlan plan, const AuditTrail* trail = nullptr,
                               const Caller& caller = kMember) {
    absl::Notification answered;
    absl::StatusOr<Revision> answer = absl::UnknownError("");
    {
      const CallScope scope(std::make_shared<const AuditedCall>(
          AuditedCall{.caller = caller, .method = "Test/Change", .time = ExampleTime(), .trail = trail}));
      RunTransaction(*scene_.writer, std::move(plan), [&](absl::StatusOr<Revision> committed) {
        answer = std::move(committed);
        answered.Notify();
      });
    }
    answered.WaitForNotification();
    return answer;
  }
  std::vector<AuditRecord> Chained(const std::string& organization = "acme") {
    EXPECT_THAT(scene_.chainer->ChainPending(), IsOk());
    return scene_.Records(organization);
  }

  const RowKey row_{.family = Family::kMeta, .bytes = "row"};
  const TransactionPlan change_ = [this](Transaction& transaction) {
    transaction.Put(row_, "value");
    transaction.Describe({.kind = "secretSet", .name = "voice-agent", .region = "us-west", .generation = 3});
    return absl::OkStatus();
  };
  AuditScene scene_;
};

TEST_F(AuditedCommitTest, AChangeOfACallHasItsRecordInItsCommit) {
  const absl::StatusOr<Revision> revision = Run(change_);
  ASSERT_THAT(revision, IsOk());
  const std::vector<AuditRecord> records = Chained();
  ASSERT_THAT(records, SizeIs(1));
  AuditRecord expected = {.number = 1,
                          .organization = "acme",
                          .time = ExampleTime(),
                          .principal = "apiKey:AAAAAAAAAA",
                          .role = "member",
                          .method = "Test/Change",
                          .decision = AuditDecision::kDone,
                          .object_kind = "secretSet",
                          .object_name = "voice-agent",
                          .region = "us-west",
                          .generation = 3,
                          .request_id = "req-1",
                          .revision = *revision,
                          .previous_hash = AuditChainStart()};
  expected.hash = AuditHashOf(expected, AuditChainStart());
  EXPECT_EQ(records[0], expected);
}

TEST_F(AuditedCommitTest, WhatChangesNothingLeavesNoRecord) {
  ASSERT_THAT(Run([](Transaction& transaction) {
                transaction.Describe({.kind = "secretSet"});
                return absl::OkStatus();
              }),
              IsOk());
  ASSERT_THAT(Run([&](Transaction& transaction) {
                const absl::Status status = change_(transaction);
                transaction.DropWrites();
                return status;
              }),
              IsOk());
  EXPECT_THAT(Run([&](Transaction& transaction) {
                change_(transaction).IgnoreError();
                return absl::InvalidArgumentError("no");
              }),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Chained(), IsEmpty());
}

TEST_F(AuditedCommitTest, AChangeThatIsNobodysCallLeavesNoRecord) {
  absl::Notification answered;
  const CallScope outer(std::make_shared<const AuditedCall>(AuditedCall{.caller = kMember}));
  const CallScope none(nullptr);
  RunTransaction(*scene_.writer, change_, [&](const absl::StatusOr<Revision>&) { answered.Notify(); });
  answered.WaitForNotification();
  EXPECT_THAT(Chained(), IsEmpty());
}

TEST_F(AuditedCommitTest, AChangeThatConflictedIsRecordedOnce) {
  std::atomic<int> attempts = 0;
  ASSERT_THAT(Run([&](Transaction& transaction) -> absl::Status {
                if (const auto read = transaction.Read(row_); !read.ok()) return read.status();
                if (++attempts == 1) {
                  EXPECT_THAT(CommitAndWait(scene_.writer->store,
                                            {.term = scene_.term, .mutations = {{.key = row_, .value = "between"}}}),
                              IsOk());
                }
                return change_(transaction);
              }),
              IsOk());
  EXPECT_EQ(attempts, 2);
  EXPECT_THAT(Chained(), SizeIs(1));
}

TEST_F(AuditedCommitTest, ACommitThatFailsLeavesNeitherChangeNorRecord) {
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailCommitBefore});
  EXPECT_THAT(Run(change_), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(scene_.writer->store.Get(row_), IsOkAndHolds(testing::Eq(std::nullopt)));
  EXPECT_THAT(Chained(), IsEmpty());
}

TEST_F(AuditedCommitTest, TheObjectSaysWhoseChainItIs) {
  const Caller operator_caller{.kind = CallerKind::kOperator, .principal = "spiffe://keyferry.test/operator/ops"};
  ASSERT_THAT(Run(change_, nullptr, operator_caller), IsOk());
  ASSERT_THAT(Run(
                  [this](Transaction& transaction) {
                    transaction.Put(row_, "again");
                    transaction.Describe({.kind = "key", .organization = "zoo"});
                    return absl::OkStatus();
                  },
                  nullptr, operator_caller),
              IsOk());
  ASSERT_THAT(Chained(""), SizeIs(1));
  EXPECT_EQ(scene_.Records("")[0].role, "operator");
  EXPECT_THAT(scene_.Records("zoo"), SizeIs(1));
}

class RefusingTrail final : public AuditTrail {
 public:
  void Denied(const Caller&, std::string_view, const absl::Status&) override {}
  absl::Status CheckAdmits(const std::string&) const override {
    return MakeError(StatusCode::kUnavailable, "", {.reason = "AUDIT_SINK_STALLED"});
  }
};

TEST_F(AuditedCommitTest, WhileTheTrailRefusesNothingIsDone) {
  const RefusingTrail trail;
  EXPECT_THAT(Run(change_, &trail), FailsWith(StatusCode::kUnavailable, "AUDIT_SINK_STALLED"));
  EXPECT_THAT(scene_.writer->store.Get(row_), IsOkAndHolds(testing::Eq(std::nullopt)));
  EXPECT_THAT(Run([](Transaction&) { return absl::OkStatus(); }, &trail), IsOk());
}

class AuditQueueTest : public testing::Test {
 protected:
  static AuditRow Refusal(const std::string& organization = "acme") {
    return {.organization = organization, .decision = AuditDecision::kDenied, .object_name = "x"};
  }
  // How many of so many had room.
  int Refuse(int count, const std::string& organization = "acme") {
    int added = 0;
    for (int i = 0; i < count; ++i) added += queue_.Add(Refusal(organization));
    return added;
  }
  static std::vector<std::string> Drops(const std::vector<AuditRow>& rows) {
    std::vector<std::string> drops;
    for (const AuditRow& row : rows) {
      if (row.reason == "AUDIT_RECORDS_DROPPED") drops.push_back(absl::StrCat(row.organization, " ", row.object_name));
    }
    return drops;
  }

  FakeClock clock_;
  AuditQueue queue_{kMaxAuditWaiting, clock_};
};

TEST_F(AuditQueueTest, AChainsRefusalsHaveABurstAndThenARate) {
  EXPECT_EQ(Refuse(kMaxAuditDenialBurst + 1), kMaxAuditDenialBurst);
  EXPECT_THAT(queue_.Take(), SizeIs(kMaxAuditDenialBurst + 1));
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Refuse(kMaxAuditDenialsPerSecond + 1), kMaxAuditDenialsPerSecond);
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(Refuse(kMaxAuditDenialBurst + 1), kMaxAuditDenialBurst);
}

TEST_F(AuditQueueTest, AFloodOfOneChainTakesNothingFromAnother) {
  for (int i = 0; i < 1000; ++i) {
    Refuse(100, "");
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(Refuse(50, "acme"), 50);
  const std::vector<AuditRow> taken = queue_.Take();
  EXPECT_THAT(taken, SizeIs(kMaxAuditWaiting / kAuditQueueShares + 50 + 1));
  EXPECT_THAT(Drops(taken), ElementsAre(absl::StrCat(" ", 100'000 - kMaxAuditWaiting / kAuditQueueShares)));
}

TEST_F(AuditQueueTest, WhatIsDroppedIsToldForEachChainOnceInAWhile) {
  for (const char* const organization : {"acme", "zoo"}) Refuse(kMaxAuditDenialBurst + 2, organization);
  EXPECT_THAT(Drops(queue_.Take()), ElementsAre("acme 2", "zoo 2"));
  EXPECT_TRUE(queue_.IsEmpty());
  Refuse(3, "zoo");
  clock_.Advance(kAuditDropInterval - absl::Milliseconds(1));
  EXPECT_THAT(queue_.Take(), IsEmpty());
  EXPECT_FALSE(queue_.IsEmpty());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(Drops(queue_.Take()), ElementsAre("zoo 3"));
  Refuse(kMaxAuditDenialBurst + 1, "zoo");
  EXPECT_THAT(Drops(queue_.Take(AuditQueue::Tell::kAll)), ElementsAre("zoo 1"));
  EXPECT_EQ(queue_.dropped_count(), 8);
}

TEST_F(AuditQueueTest, WhatTheSystemFoundNeedsOnlyRoom) {
  AuditQueue queue(4, clock_);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.Add({.object_name = "x"}));
  EXPECT_FALSE(queue.Add({.object_name = "one too many"}));
  EXPECT_THAT(queue.Take(), SizeIs(5));
  for (int i = 0; i < kMaxAuditDenialBurst; ++i) (void)queue.Add(Refusal(""));
  EXPECT_TRUE(queue.Add({.object_name = "x"}));
}

// The trail with its threads.
class AuditTrailTest : public testing::Test {
 protected:
  void Start(const std::string& directory = "") {
    std::unique_ptr<AuditFiles> files;
    if (!directory.empty()) files = *AuditFiles::Open(directory, scene_.clock);
    trail_ =
        NewAuditTrail({.writer = *scene_.writer, .clock = scene_.clock, .key = scene_.key, .files = std::move(files)});
  }
  template <typename Condition>
  static void AwaitUntil(const Condition& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!condition() && absl::Now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(condition());
  }

  AuditScene scene_;
  TempDir temp_;
  std::unique_ptr<StoredAuditTrail> trail_;
};

TEST_F(AuditTrailTest, ARefusalIsRecordedWithoutItsText) {
  Start();
  trail_->Denied(kMember, "SecretSets/SetSecrets",
                 MakeError(StatusCode::kPermissionDenied, "sentinel", {.reason = "PERMISSION_DENIED"}));
  AwaitUntil([&] { return scene_.Records().size() == 1; });
  const AuditRecord record = scene_.Records()[0];
  EXPECT_EQ(record.decision, AuditDecision::kDenied);
  EXPECT_EQ(record.code, "PERMISSION_DENIED");
  EXPECT_EQ(record.reason, "PERMISSION_DENIED");
  EXPECT_EQ(record.principal, kMember.principal);
  EXPECT_EQ(record.role, "member");
  EXPECT_EQ(record.request_id, "req-1");
  EXPECT_EQ(record.revision, 0u);
  EXPECT_EQ(ToLine(record).find("sentinel"), std::string::npos);
}

TEST_F(AuditTrailTest, WhoIsNotKnownIsRecordedInTheSystemsChainWithoutARole) {
  Start();
  trail_->Denied({.request_id = "req-2"}, "SecretSets/SetSecrets", absl::UnauthenticatedError("no credential"));
  AwaitUntil([&] { return scene_.Records("").size() == 1; });
  EXPECT_EQ(scene_.Records("")[0].principal, "");
  EXPECT_EQ(scene_.Records("")[0].role, "");
}

TEST_F(AuditTrailTest, RecordsAreChainedSoonAfterTheirCommit) {
  Start();
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  AwaitUntil([&] { return scene_.Records().size() == 1; });
  EXPECT_EQ(scene_.HeadRow().signed_number, 1);
}

TEST_F(AuditTrailTest, WhatAProcessBeforeLeftIsChainedAtTheStart) {
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  Start();
  AwaitUntil([&] { return scene_.Records().size() == 1; });
}

TEST_F(AuditTrailTest, TheEndChainsSignsAndHandsOverAll) {
  Start(temp_.path());
  for (int i = 0; i < 50; ++i) ASSERT_THAT(scene_.AddRecord("x"), IsOk());
  trail_->Denied(kMember, "SecretSets/SetSecrets", absl::PermissionDeniedError(""));
  trail_.reset();
  EXPECT_EQ(scene_.PendingCount(), 0u);
  EXPECT_EQ(scene_.HeadRow().signed_number, 51);
  const auto files = *AuditFiles::Open(temp_.path(), scene_.clock);
  EXPECT_EQ(files->PositionOf("acme").number, 51);
  EXPECT_EQ(files->PositionOf("acme").head_number, 51);
}

TEST_F(AuditTrailTest, AStoreThatFailsForAWhileLosesNoRefusal) {
  for (int i = 0; i < 3; ++i) scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailCommitBefore});
  Start();
  trail_->Denied(kMember, "SecretSets/SetSecrets", absl::PermissionDeniedError(""));
  AwaitUntil([&] { return scene_.Records().size() == 1; });
}

TEST_F(AuditTrailTest, ASinkThatStandsStillRefusesChangesAfterTheLimitUntilItMoves) {
  const std::string directory = temp_.File("audit");
  Start(directory);
  // No directory any more, and none can be made in its place.
  AwaitUntil([&] { return std::filesystem::is_directory(directory); });
  std::filesystem::remove_all(directory);
  std::ofstream(directory) << "in the way";
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  AwaitUntil([&] { return scene_.HeadRow().number == 1; });
  EXPECT_THAT(trail_->CheckAdmits("acme"), IsOk());
  // The lag begins when the sink first tries.
  AwaitUntil([&] {
    scene_.clock.Advance(absl::Microseconds(1));
    return trail_->Health().sink_lag > absl::ZeroDuration();
  });
  scene_.clock.Advance(kMaxAuditSinkLag - trail_->Health().sink_lag);
  // The chains have got on meanwhile.
  AwaitUntil([&] { return trail_->CheckAdmits("acme").ok(); });
  scene_.clock.Advance(absl::Microseconds(1));
  EXPECT_THAT(trail_->CheckAdmits("acme"), FailsWith(StatusCode::kUnavailable, "AUDIT_SINK_STALLED"));
  std::filesystem::remove(directory);
  AwaitUntil([&] { return trail_->CheckAdmits("acme").ok(); });
}

TEST_F(AuditTrailTest, ADamagedWaitingRecordIsReportedAndTheTrailGoesOn) {
  scene_.Damage(keys::AuditPending("acme", "damaged"));
  Start();
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  AwaitUntil([&] { return scene_.Records().size() == 1 && scene_.Records("").size() == 1; });
  EXPECT_EQ(scene_.Records("")[0].reason, "AUDIT_RECORD_DAMAGED");
  EXPECT_EQ(scene_.Records("")[0].decision, AuditDecision::kDone);
  EXPECT_THAT(trail_->CheckAdmits("acme"), IsOk());
}

TEST_F(AuditTrailTest, AChainWhoseEndIsDamagedRefusesItsOwnChangesAlone) {
  scene_.Chain(1);
  scene_.Damage(keys::AuditHead("acme"));
  Start();
  ASSERT_THAT(scene_.AddRecord("two"), IsOk());
  ASSERT_THAT(scene_.AddRecord("one", "zoo"), IsOk());
  AwaitUntil([&] { return scene_.Records("zoo").size() == 1; });
  scene_.clock.Advance(kMaxAuditSinkLag + absl::Seconds(1));
  AwaitUntil([&] { return trail_->CheckAdmits("zoo").ok(); });
  EXPECT_THAT(trail_->CheckAdmits("acme"), FailsWith(StatusCode::kUnavailable, "AUDIT_SINK_STALLED"));
  EXPECT_GT(trail_->Health().sink_lag, kMaxAuditSinkLag);
}

}  // namespace
}  // namespace keyferry

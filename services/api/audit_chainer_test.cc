#include "services/api/audit_chainer.h"

#include <gtest/gtest.h>

#include <thread>

#include "libs/common/testing/status_matchers.h"
#include "libs/model/audit_chain.h"
#include "libs/model/audit_verifier.h"
#include "services/api/audit_scan.h"
#include "services/api/testing/audit_scene.h"
#include "services/api/testing/interrupting_store.h"

namespace keyferry {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::SizeIs;

class AuditChainerTest : public testing::Test {
 protected:
  absl::Status Verify(const std::vector<std::string>& organizations = {"acme"}) {
    AuditVerifier verifier({.public_keys = {scene_.key->public_key()}});
    for (const std::string& organization : organizations) {
      for (const AuditRecord& record : scene_.Records(organization)) {
        if (absl::Status added = verifier.Add(ToLine(record)); !added.ok()) return added;
      }
      if (absl::Status added = verifier.Add(ToLine(*scene_.reader->Head(organization))); !added.ok()) return added;
    }
    return verifier.Finish();
  }

  AuditScene scene_;
};

TEST_F(AuditChainerTest, RecordsAreNumberedInOrderOfRevision) {
  const auto first = scene_.Add({scene_.Row("one")});
  const auto second = scene_.Add({scene_.Row("two"), scene_.Row("three")});
  ASSERT_THAT(scene_.chainer->ChainPending(), IsOkAndHolds(3));
  const std::vector<AuditRecord> records = scene_.Records();
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_THAT(scene_.Names(), ElementsAre("one", "two", "three"));
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(records[static_cast<size_t>(i)].number, i + 1);
  EXPECT_EQ(records[0].revision, *first);
  EXPECT_EQ(records[1].revision, *second);
  EXPECT_EQ(records[2].revision, *second);
  EXPECT_EQ(scene_.PendingCount(), 0u);
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditChainerTest, TheOrderIsThatOfCommitsWhateverTheRowsAreCalled) {
  // Pending keys of a process sort as they were made; these come from others, in reverse.
  for (const char* const uid : {"z", "m", "a"}) {
    AuditRow row = scene_.Row(uid);
    ASSERT_THAT(CommitAndWait(scene_.writer->store,
                              {.term = scene_.term,
                               .mutations = {{.key = keys::AuditPending("acme", uid), .value = Encode(row)}}}),
                IsOk());
  }
  ASSERT_THAT(scene_.chainer->ChainPending(), IsOk());
  EXPECT_THAT(scene_.Names(), ElementsAre("z", "m", "a"));
}

TEST_F(AuditChainerTest, ARefusalHasNoRevision) {
  AuditRow row = scene_.Row("x");
  row.decision = AuditDecision::kDenied;
  ASSERT_THAT(scene_.Add({row}), IsOk());
  ASSERT_THAT(scene_.chainer->ChainPending(), IsOk());
  EXPECT_EQ(scene_.Records()[0].revision, 0u);
}

TEST_F(AuditChainerTest, ChainsOfTwoOrganizationsAndOfTheSystemAreIndependent) {
  for (const char* const name : {"one", "two"}) {
    for (const char* const organization : {"acme", "zoo", ""})
      ASSERT_THAT(scene_.AddRecord(name, organization), IsOk());
  }
  ASSERT_THAT(scene_.chainer->ChainPending(), IsOkAndHolds(6));
  for (const char* const organization : {"acme", "zoo", ""}) {
    EXPECT_THAT(scene_.Names(organization), ElementsAre("one", "two"));
    EXPECT_EQ(scene_.HeadRow(organization).number, 2);
  }
  EXPECT_THAT(Verify({"acme", "zoo", ""}), IsOk());
}

TEST_F(AuditChainerTest, AnotherRoundGoesOnWithTheChain) {
  scene_.Chain(2);
  scene_.Chain(3);
  EXPECT_THAT(scene_.Records(), SizeIs(5));
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditChainerTest, ABatchIsFullAtItsLimitAndGoesOnInTheNext) {
  for (const size_t count : {kMaxAuditRecordsPerCommit, kMaxAuditRecordsPerCommit + 1}) {
    const Revision before = scene_.memory->Head();
    ASSERT_THAT(scene_.Add(std::vector<AuditRow>(count, scene_.Row("x"))), IsOk());
    ASSERT_THAT(scene_.chainer->ChainPending(), IsOkAndHolds(static_cast<int64_t>(count)));
    EXPECT_EQ(scene_.memory->Head() - before, count == kMaxAuditRecordsPerCommit ? 2u : 3u);
  }
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditChainerTest, ARoundIsFullAtItsLimitAndTheRestFollowsInOrder) {
  for (const size_t count : {kMaxAuditRecordsPerRound, size_t{1}}) {
    std::vector<AuditRow> rows;
    for (size_t i = 0; i < count; ++i) rows.push_back(scene_.Row(absl::StrCat(count, "-", i)));
    ASSERT_THAT(scene_.Add(rows), IsOk());
  }
  ASSERT_THAT(scene_.chainer->ChainPending(), IsOkAndHolds(static_cast<int64_t>(kMaxAuditRecordsPerRound + 1)));
  EXPECT_EQ(scene_.Names().back(), "1-0");
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditChainerTest, ACrashBeforeTheBatchLeavesItsRecordsWaiting) {
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailCommitBefore});
  EXPECT_THAT(scene_.chainer->ChainPending(), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(scene_.PendingCount(), 1u);
  AuditChainer next(*scene_.writer, scene_.clock, scene_.key);
  ASSERT_THAT(next.ChainPending(), IsOkAndHolds(1));
  EXPECT_THAT(scene_.Names(), ElementsAre("one"));
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditChainerTest, ABatchWhoseOutcomeIsUnknownIsNotChainedTwice) {
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailCommitAfter});
  EXPECT_THAT(scene_.chainer->ChainPending(), StatusIs(StatusCode::kUnavailable));
  ASSERT_THAT(scene_.AddRecord("two"), IsOk());
  ASSERT_THAT(scene_.chainer->ChainPending(), IsOk());
  EXPECT_THAT(scene_.Names(), ElementsAre("one", "two"));
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditChainerTest, OfTwoThatChainAtOnceOneGivesWay) {
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  InterruptingStore interrupting(scene_.writer->store);
  interrupting.BeforeNextCommit([this] { EXPECT_THAT(scene_.chainer->ChainPending(), IsOkAndHolds(1)); });
  AuditChainer other(Writer{interrupting, *scene_.executor, scene_.writer->term}, scene_.clock, scene_.key);
  EXPECT_THAT(other.ChainPending(), StatusIs(StatusCode::kAborted));
  EXPECT_THAT(scene_.Names(), ElementsAre("one"));
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditChainerTest, NoRecordIsLostOrDoubledWhileWritersGoOn) {
  constexpr int kWriters = 4, kEach = 200;
  std::vector<std::thread> writers;
  std::atomic<int> running = kWriters;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, i] {
      for (int n = 0; n < kEach; ++n) EXPECT_THAT(scene_.AddRecord(absl::StrCat(i, "-", n)), IsOk());
      --running;
    });
  }
  while (running > 0) EXPECT_THAT(scene_.chainer->ChainPending(), IsOk());
  for (std::thread& writer : writers) writer.join();
  ASSERT_THAT(scene_.chainer->ChainPending(), IsOk());
  const std::vector<AuditRecord> records = scene_.Records();
  ASSERT_THAT(records, SizeIs(kWriters * kEach));
  for (size_t i = 1; i < records.size(); ++i) EXPECT_LT(records[i - 1].revision, records[i].revision);
  EXPECT_THAT(Verify(), IsOk());
}

TEST_F(AuditChainerTest, AHeadIsSignedAtOnceThenAfterTheInterval) {
  scene_.Chain(1);
  EXPECT_EQ(scene_.HeadRow().signed_number, 1);
  scene_.Chain(1);
  scene_.clock.Advance(kAuditSignInterval - absl::Milliseconds(1));
  ASSERT_THAT(scene_.chainer->SignHeads(AuditChainer::Which::kDue), IsOk());
  EXPECT_EQ(scene_.HeadRow().signed_number, 1);
  scene_.clock.Advance(absl::Milliseconds(1));
  ASSERT_THAT(scene_.chainer->SignHeads(AuditChainer::Which::kDue), IsOk());
  const AuditHeadRow head = scene_.HeadRow();
  EXPECT_EQ(head.signed_number, 2);
  EXPECT_TRUE(HasItsSignature({.organization = "acme",
                               .number = head.signed_number,
                               .hash = head.signed_hash,
                               .time = head.sign_time,
                               .signature = head.signature,
                               .public_key = scene_.key->public_key()}));
}

TEST_F(AuditChainerTest, AHeadIsSignedWhenSoManyRecordsAreNot) {
  scene_.Chain(1);
  const auto add = [this](int64_t count) {
    ASSERT_THAT(scene_.Add(std::vector<AuditRow>(static_cast<size_t>(count), scene_.Row("x"))), IsOk());
    ASSERT_THAT(scene_.chainer->ChainPending(), IsOk());
  };
  add(kMaxAuditRecordsUnsigned - 1);
  EXPECT_EQ(scene_.HeadRow().signed_number, 1);
  add(1);
  EXPECT_EQ(scene_.HeadRow().signed_number, 1 + kMaxAuditRecordsUnsigned);
}

TEST_F(AuditChainerTest, AllHeadsThatMovedAreSignedAtTheEndAlsoThoseOfAProcessBefore) {
  scene_.Chain(1);
  scene_.Chain(1);
  scene_.Chain(1, "zoo");
  scene_.Chain(1, "zoo");
  AuditChainer next(*scene_.writer, scene_.clock, scene_.key);
  ASSERT_THAT(next.SignHeads(AuditChainer::Which::kAll), IsOk());
  EXPECT_EQ(scene_.HeadRow("acme").signed_number, 2);
  EXPECT_EQ(scene_.HeadRow("zoo").signed_number, 2);
}

TEST_F(AuditChainerTest, WithoutAKeyChainsAreNotSigned) {
  AuditChainer keyless(*scene_.writer, scene_.clock, nullptr);
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  ASSERT_THAT(keyless.ChainPending(), IsOk());
  ASSERT_THAT(keyless.SignHeads(AuditChainer::Which::kAll), IsOk());
  EXPECT_EQ(scene_.HeadRow().number, 1);
  EXPECT_EQ(scene_.HeadRow().signed_number, 0);
  EXPECT_THAT(AuditReader(*scene_.barrier, scene_.clock, nullptr).Head("acme"),
              FailsWith(StatusCode::kUnavailable, "AUDIT_KEY_MISSING"));
}

TEST_F(AuditChainerTest, DamagedWaitingRecordsAreSteppedOverReportedOnceAndLeft) {
  std::vector<std::string> reports;
  AuditChainer chainer(*scene_.writer, scene_.clock, scene_.key,
                       [&](const AuditRow& row) { reports.push_back(absl::StrCat(row.reason, " ", row.object_name)); });
  // Before, between and behind those that open.
  scene_.Damage(keys::AuditPending("acme", ""));
  scene_.Damage(keys::AuditPending("acme", "z"));
  scene_.Damage(keys::AuditPending("acme", "zz"));
  for (const char* const name : {"one", "two"}) ASSERT_THAT(scene_.AddRecord(name), IsOk());
  ASSERT_THAT(scene_.AddRecord("one", "zoo"), IsOk());
  // Sealed, and yet no record.
  ASSERT_THAT(CommitAndWait(scene_.writer->store,
                            {.term = scene_.term,
                             .mutations = {{.key = keys::AuditPending("zoo", "y"), .value = std::string("\xff\xff")}}}),
              IsOk());
  EXPECT_THAT(chainer.ChainPending(), IsOkAndHolds(3));
  ASSERT_THAT(scene_.AddRecord("three"), IsOk());
  EXPECT_THAT(chainer.ChainPending(), IsOkAndHolds(1));
  EXPECT_THAT(scene_.Names(), ElementsAre("one", "two", "three"));
  EXPECT_THAT(scene_.Names("zoo"), ElementsAre("one"));
  EXPECT_THAT(Verify({"acme", "zoo"}), IsOk());
  EXPECT_THAT(reports, SizeIs(4));
  EXPECT_THAT(reports, testing::Each(testing::StartsWith("AUDIT_RECORD_DAMAGED audit p/")));
  EXPECT_THAT(scene_.memory->Get(keys::AuditPending("acme", "zz")), IsOkAndHolds(testing::Ne(std::nullopt)));
}

TEST_F(AuditChainerTest, TooManyDamagedRowsAreADamagedStore) {
  for (size_t i = 0; i < kMaxDamagedRowsVisited; ++i) scene_.Damage(keys::AuditPending("acme", absl::StrCat(i)));
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  EXPECT_THAT(scene_.chainer->ChainPending(), IsOkAndHolds(1));
  scene_.Damage(keys::AuditPending("acme", "one too many"));
  EXPECT_THAT(scene_.chainer->ChainPending(), StatusIs(StatusCode::kDataLoss));
}

TEST_F(AuditChainerTest, AChainWhoseEndIsDamagedWaitsAndTheOthersGoOn) {
  scene_.Chain(1);
  const auto end = *scene_.memory->Get(keys::AuditHead("acme"));
  scene_.Damage(keys::AuditHead("acme"));
  for (const char* const organization : {"acme", "zoo"}) ASSERT_THAT(scene_.AddRecord("two", organization), IsOk());
  EXPECT_THAT(scene_.chainer->ChainPending(), IsOkAndHolds(1));
  EXPECT_THAT(scene_.chainer->SignHeads(AuditChainer::Which::kAll), IsOk());
  scene_.clock.Advance(absl::Seconds(30));
  EXPECT_THAT(scene_.chainer->ChainPending(), IsOkAndHolds(0));
  EXPECT_EQ(scene_.chainer->lag("acme"), absl::Seconds(30));
  EXPECT_EQ(scene_.chainer->lag("zoo"), absl::ZeroDuration());
  EXPECT_EQ(scene_.chainer->lag(), absl::Seconds(30));
  ASSERT_THAT(CommitAndWait(*scene_.memory, {.term = scene_.term,
                                             .mutations = {{.key = keys::AuditHead("acme"), .value = end->value}}}),
              IsOk());
  EXPECT_THAT(scene_.chainer->ChainPending(), IsOkAndHolds(1));
  EXPECT_EQ(scene_.chainer->lag("acme"), absl::ZeroDuration());
}

TEST_F(AuditChainerTest, ATrailThatDoesNotGetOnStandsStill) {
  ASSERT_THAT(scene_.AddRecord("one"), IsOk());
  ASSERT_THAT(scene_.chainer->ChainPending(), IsOk());
  scene_.clock.Advance(kAuditStandstill);
  EXPECT_EQ(scene_.chainer->lag("acme"), absl::ZeroDuration());
  scene_.clock.Advance(absl::Seconds(1));
  scene_.faulty.Inject({.kind = FaultyStore::Kind::kFailScan});
  EXPECT_FALSE(scene_.chainer->ChainPending().ok());
  EXPECT_EQ(scene_.chainer->lag("acme"), kAuditStandstill + absl::Seconds(1));
  ASSERT_THAT(scene_.chainer->ChainPending(), IsOk());
  EXPECT_EQ(scene_.chainer->lag(), absl::ZeroDuration());
}

class AuditReaderTest : public AuditChainerTest {};

TEST_F(AuditReaderTest, PagesFollowEachOtherFromTheFirstNumber) {
  scene_.Chain(5);
  const auto first = scene_.reader->List({.organization = "acme", .page_size = 2, .first_number = 2});
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(first->records, SizeIs(2));
  EXPECT_EQ(first->records[0].number, 2);
  const auto second = scene_.reader->List(
      {.organization = "acme", .page_size = 2, .page_token = first->next_page_token, .first_number = 2});
  ASSERT_THAT(second, IsOk());
  ASSERT_THAT(second->records, SizeIs(2));
  EXPECT_EQ(second->records[1].number, 5);
  EXPECT_EQ(second->next_page_token, "");
}

TEST_F(AuditReaderTest, ATokenIsGoodForItsListingAlone) {
  scene_.Chain(3);
  scene_.Chain(3, "zoo");
  const std::string token = scene_.reader->List({.organization = "acme", .page_size = 1})->next_page_token;
  for (const AuditListing& other :
       {AuditListing{.organization = "zoo", .page_token = token}, AuditListing{.organization = "", .page_token = token},
        AuditListing{.organization = "acme", .page_token = token, .first_number = 1},
        AuditListing{.organization = "acme", .page_token = token + "x"}}) {
    EXPECT_THAT(scene_.reader->List(other), FailsWith(StatusCode::kInvalidArgument, "INVALID_PAGE_TOKEN"));
  }
}

TEST_F(AuditReaderTest, AChainThatIsNotThereIsEmptyAndHasNoHead) {
  EXPECT_THAT(scene_.Records("nobody"), SizeIs(0));
  EXPECT_THAT(scene_.reader->Head("nobody"), FailsWith(StatusCode::kNotFound, "AUDIT_CHAIN_EMPTY"));
}

TEST_F(AuditReaderTest, AHeadIsSignedWhenItIsAskedFor) {
  scene_.Chain(1);
  scene_.Chain(2);
  const auto head = scene_.reader->Head("acme");
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->number, 3);
  EXPECT_TRUE(HasItsSignature(*head));
}

TEST(AuditRowsTest, WhatIsNoNameGoesToTheSystemsChainAndTextsAreClean) {
  AuditScene scene;
  AuditRow row = scene.Row("a\nb\xff", std::string("no\0name", 7));
  row.principal = std::string(2049, 'p');
  ASSERT_THAT(scene.Add({row}), IsOk());
  ASSERT_THAT(scene.chainer->ChainPending(), IsOkAndHolds(1));
  const std::vector<AuditRecord> records = scene.Records("");
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].object_name, "a?b?");
  EXPECT_EQ(records[0].principal.size(), 2048u);
}

}  // namespace
}  // namespace keyferry

#include "libs/storage/testing/store_conformance.h"

#include <gmock/gmock.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/big_endian.h"

namespace keyferry {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformanceTest);

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

RowKey Key(std::string bytes, Family family = Family::kSets) { return {family, std::move(bytes)}; }

std::vector<std::string> KeysOf(const absl::StatusOr<std::vector<KeyedRow>>& rows) {
  EXPECT_THAT(rows, IsOk());
  std::vector<std::string> keys;
  if (rows.ok()) {
    for (const KeyedRow& row : *rows) keys.push_back(row.key.bytes);
  }
  return keys;
}

MATCHER_P2(IsRow, value, revision, "") { return arg.value == value && arg.revision == revision; }

}  // namespace

void StoreConformanceTest::SetUp() {
  opened_ = GetParam().open();
  auto term = opened_->store().AcquireWriter(Lineage::kKeep);
  ASSERT_THAT(term, IsOk());
  term_ = *term;
}

Store& StoreConformanceTest::At() {
  if (GetParam().reopen_between_operations) opened_->Reopen();
  return opened_->store();
}

absl::StatusOr<Revision> StoreConformanceTest::Put(const RowKey& key, const std::string& value,
                                                   std::optional<Revision> if_revision) {
  Commit commit{.term = term_, .mutations = {{.key = key, .value = value}}};
  if (if_revision) commit.preconditions.push_back({key, *if_revision});
  return CommitAndWait(At(), std::move(commit));
}

absl::StatusOr<Revision> StoreConformanceTest::Erase(const RowKey& key) {
  return CommitAndWait(At(), {.term = term_, .mutations = {{.key = key}}});
}

std::optional<Row> StoreConformanceTest::Read(const RowKey& key) {
  auto row = At().Get(key);
  EXPECT_THAT(row, IsOk());
  return row.ok() ? *row : std::nullopt;
}

TEST_P(StoreConformanceTest, AnAbsentRowReadsAsNothing) {
  EXPECT_EQ(Read(Key("absent")), std::nullopt);
  EXPECT_THAT(At().Scan(Key(""), "", 10), IsOkAndHolds(IsEmpty()));
}

TEST_P(StoreConformanceTest, ACommitStampsItsRevisionOnEveryRowItWrites) {
  const auto revision = CommitAndWait(
      At(),
      {.term = term_, .mutations = {{.key = Key("a"), .value = "1"}, {.key = Key("b", Family::kMeta), .value = "2"}}});
  ASSERT_THAT(revision, IsOk());
  EXPECT_THAT(Read(Key("a")), Optional(IsRow("1", *revision)));
  EXPECT_THAT(Read(Key("b", Family::kMeta)), Optional(IsRow("2", *revision)));
  EXPECT_EQ(At().Head(), *revision);
}

TEST_P(StoreConformanceTest, RevisionsGrowAndNoneIsUsedAgainAfterErasing) {
  Revision last = 0;
  for (int i = 0; i < 5; ++i) {
    const auto written = Put(Key("a"), "value");
    const auto erased = Erase(Key("a"));
    ASSERT_THAT(written, IsOk());
    ASSERT_THAT(erased, IsOk());
    EXPECT_GT(*written, last);
    EXPECT_GT(*erased, *written);
    last = *erased;
    Reopen();
  }
}

TEST_P(StoreConformanceTest, ErasingMakesARowAbsentAndErasingAnAbsentRowIsNoError) {
  ASSERT_THAT(Put(Key("a"), "1"), IsOk());
  EXPECT_THAT(Erase(Key("a")), IsOk());
  EXPECT_EQ(Read(Key("a")), std::nullopt);
  EXPECT_THAT(Erase(Key("a")), IsOk());
}

TEST_P(StoreConformanceTest, ARevisionInMemoryIsTheOneThatGetFinds) {
  const auto known = [&](Revision expected) {
    (void)Read(Key("a"));
    const std::optional<Revision> revision = At().RevisionInMemory(Key("a"));
    return !revision || *revision == expected;
  };
  EXPECT_TRUE(known(0));
  for (int i = 0; i < 3; ++i) {
    const auto written = Put(Key("a"), "value");
    ASSERT_THAT(written, IsOk());
    EXPECT_TRUE(known(*written));
    Reopen();
    EXPECT_TRUE(known(*written));
    ASSERT_THAT(Erase(Key("a")), IsOk());
    EXPECT_TRUE(known(0));
  }
}

TEST_P(StoreConformanceTest, APreconditionHoldsForExactlyTheRevisionThatWroteTheRow) {
  const auto first = Put(Key("a"), "1", 0);
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(Put(Key("a"), "2", 0), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_THAT(Put(Key("a"), "2", *first + 1), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_THAT(Put(Key("a"), "2", *first - 1), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_THAT(Read(Key("a")), Optional(IsRow("1", *first)));
  EXPECT_THAT(Put(Key("a"), "2", *first), IsOk());
  ASSERT_THAT(Erase(Key("a")), IsOk());
  EXPECT_THAT(Put(Key("a"), "3", *first), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_THAT(Put(Key("a"), "3", 0), IsOk());
}

TEST_P(StoreConformanceTest, OneFailedPreconditionLeavesEveryRowAsItWas) {
  ASSERT_THAT(Put(Key("a"), "1"), IsOk());
  const Revision head = At().Head();
  const auto refused = CommitAndWait(At(), {.term = term_,
                                            .preconditions = {{Key("absent"), 0}, {Key("a"), 0}},
                                            .mutations = {{.key = Key("a")}, {.key = Key("b"), .value = "2"}}});
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kAborted));
  EXPECT_TRUE(Read(Key("a")).has_value());
  EXPECT_FALSE(Read(Key("b")).has_value());
  EXPECT_EQ(At().Head(), head);
}

TEST_P(StoreConformanceTest, ANewTermFencesEveryOlderOne) {
  ASSERT_THAT(Put(Key("a"), "1"), IsOk());
  const auto newer = At().AcquireWriter(Lineage::kKeep);
  ASSERT_THAT(newer, IsOk());
  EXPECT_GT(newer->number, term_.number);
  EXPECT_EQ(newer->lineage, term_.lineage);
  EXPECT_THAT(Put(Key("a"), "2"), FailsWith(absl::StatusCode::kAborted, "STALE_TERM"));
  Reopen();
  EXPECT_THAT(Put(Key("a"), "2"), FailsWith(absl::StatusCode::kAborted, "STALE_TERM"));
  EXPECT_EQ(Read(Key("a"))->value, "1");
  term_ = *newer;
  EXPECT_THAT(Put(Key("a"), "3"), IsOk());
}

TEST_P(StoreConformanceTest, TheNextLineageIsAboveEveryRevisionBefore) {
  const auto before = Put(Key("a"), "1");
  ASSERT_THAT(before, IsOk());
  const auto next = At().AcquireWriter(Lineage::kNext);
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ(next->lineage, term_.lineage + 1);
  EXPECT_EQ(LineageOf(At().Head()), next->lineage);
  term_ = *next;
  const auto after = Put(Key("a"), "2", *before);
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(LineageOf(*after), next->lineage);
  EXPECT_GT(*after, WithLineage(~uint64_t{0}, LineageOf(*before)));
}

TEST_P(StoreConformanceTest, AStampedKeyHoldsTheRevisionOfItsCommit) {
  const std::string placeholder = absl::StrCat("q/", std::string(8, '\0'), "/name");
  const auto revision = CommitAndWait(
      At(),
      {.term = term_, .mutations = {{.key = Key(placeholder, Family::kPending), .value = "", .revision_offset = 2}}});
  ASSERT_THAT(revision, IsOk());
  std::string stamped = placeholder;
  WriteBigEndian64(stamped.data() + 2, *revision);
  EXPECT_THAT(KeysOf(At().Scan(Key("q/", Family::kPending), "q0", 10)), ElementsAre(stamped));
  EXPECT_THAT(Read(Key(stamped, Family::kPending)), Optional(IsRow("", *revision)));
  EXPECT_FALSE(Read(Key(placeholder, Family::kPending)).has_value());
}

TEST_P(StoreConformanceTest, ARevisionMustFitIntoItsKey) {
  const auto stamp = [&](size_t offset) {
    return CommitAndWait(
        At(), {.term = term_,
               .mutations = {{.key = Key("0123456789", Family::kPending), .value = "", .revision_offset = offset}}});
  };
  EXPECT_THAT(stamp(2), IsOk());
  EXPECT_THAT(stamp(3), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(stamp(11), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(stamp(std::string::npos - 1), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_P(StoreConformanceTest, ACommitThatWritesAKeyTwiceIsRefused) {
  const auto twice =
      CommitAndWait(At(), {.term = term_, .mutations = {{.key = Key("a"), .value = "1"}, {.key = Key("a")}}});
  EXPECT_THAT(twice, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_FALSE(Read(Key("a")).has_value());
  const auto once_each = CommitAndWait(
      At(),
      {.term = term_, .mutations = {{.key = Key("a"), .value = "1"}, {.key = Key("a", Family::kMeta), .value = "2"}}});
  EXPECT_THAT(once_each, IsOk());
}

TEST_P(StoreConformanceTest, ACommitWithoutMutationsChecksItsPreconditions) {
  const auto row = Put(Key("a"), "1");
  ASSERT_THAT(row, IsOk());
  EXPECT_THAT(CommitAndWait(At(), {.term = term_, .preconditions = {{Key("a"), *row}}}), IsOk());
  EXPECT_THAT(CommitAndWait(At(), {.term = term_, .preconditions = {{Key("a"), *row + 1}}}),
              StatusIs(absl::StatusCode::kAborted));
}

TEST_P(StoreConformanceTest, AScanIsOrderedBoundedAndStaysInItsFamily) {
  for (const char* key : {"b", "a", "c", "ab"}) ASSERT_THAT(Put(Key(key), key), IsOk());
  ASSERT_THAT(Put(Key("aa", Family::kMeta), "other"), IsOk());
  ASSERT_THAT(Put(Key("aa", Family::kGenerations), "other"), IsOk());
  EXPECT_THAT(KeysOf(At().Scan(Key(""), "", 10)), ElementsAre("a", "ab", "b", "c"));
  EXPECT_THAT(KeysOf(At().Scan(Key("ab"), "c", 10)), ElementsAre("ab", "b"));
  EXPECT_THAT(KeysOf(At().Scan(Key("aa"), PrefixEnd("a"), 10)), ElementsAre("ab"));
  EXPECT_THAT(KeysOf(At().Scan(Key("c"), "b", 10)), IsEmpty());
}

TEST_P(StoreConformanceTest, CountsWhatAScanWouldFind) {
  constexpr size_t kRows = 1001;
  EXPECT_THAT(At().Count(Key(""), ""), IsOkAndHolds(0u));
  Commit commit{.term = term_};
  for (size_t i = 0; i < kRows; ++i) commit.mutations.push_back({.key = Key(absl::StrCat("row-", 10'000 + i)), .value = "value"});
  ASSERT_THAT(CommitAndWait(At(), std::move(commit)), IsOk());
  ASSERT_THAT(Put(Key("row-10001", Family::kMeta), "other"), IsOk());
  EXPECT_THAT(At().Count(Key(""), ""), IsOkAndHolds(kRows));
  EXPECT_THAT(At().Count(Key("row-10001"), "row-10003"), IsOkAndHolds(2u));
  EXPECT_THAT(At().Count(Key("row-10003"), "row-10001"), IsOkAndHolds(0u));
}

TEST_P(StoreConformanceTest, PagesOfAScanJoinToTheWhole) {
  std::vector<std::string> expected;
  for (int i = 100; i < 125; ++i) {
    expected.push_back(absl::StrCat("row-", i));
    ASSERT_THAT(Put(Key(expected.back()), "value"), IsOk());
  }
  for (const size_t limit : {1, 7, 24, 25, 26}) {
    std::vector<std::string> found;
    std::string begin;
    while (true) {
      const auto page = KeysOf(At().Scan(Key(begin), "", limit));
      if (page.empty()) break;
      EXPECT_LE(page.size(), limit);
      found.insert(found.end(), page.begin(), page.end());
      begin = page.back() + '\0';
    }
    EXPECT_EQ(found, expected) << "limit " << limit;
  }
}

TEST_P(StoreConformanceTest, KeysAndValuesAreAnyBytes) {
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes.push_back(static_cast<char>(i));
  const std::string large(2 << 20, 'x');
  ASSERT_THAT(Put(Key(all_bytes), all_bytes), IsOk());
  ASSERT_THAT(Put(Key("empty"), ""), IsOk());
  ASSERT_THAT(Put(Key("large"), large), IsOk());
  EXPECT_EQ(Read(Key(all_bytes))->value, all_bytes);
  EXPECT_EQ(Read(Key("empty"))->value, "");
  EXPECT_TRUE(Read(Key("large"))->value == large);
  EXPECT_THAT(KeysOf(At().Scan(Key(std::string(1, '\0')), "b", 10)), ElementsAre(all_bytes));
}

TEST_P(StoreConformanceTest, ARowThatKeepsItsRevisionChangesItsValueAlone) {
  const auto first = Put(Key("a"), "1");
  ASSERT_THAT(first, IsOk());
  Commit commit{.term = term_, .preconditions = {{Key("a"), *first}}};
  commit.mutations.push_back({.key = Key("a"), .value = "one", .keep_revision = true});
  commit.mutations.push_back({.key = Key("b"), .value = "2"});
  const auto kept = CommitAndWait(At(), commit);
  ASSERT_THAT(kept, IsOk());
  EXPECT_GT(*kept, *first);
  for (int reopened = 0; reopened < 2; ++reopened, Reopen()) {
    EXPECT_THAT(Read(Key("a")), Optional(IsRow("one", *first)));
    EXPECT_THAT(Read(Key("b")), Optional(IsRow("2", *kept)));
    const auto scanned = At().Scan(Key("a"), "b", 1);
    ASSERT_THAT(scanned, IsOk());
    EXPECT_THAT(scanned->front().row, IsRow("one", *first));
    EXPECT_EQ(At().Head(), *kept);
  }
  EXPECT_THAT(Put(Key("a"), "3", *kept), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_THAT(Put(Key("a"), "3", *first), IsOk());
}

TEST_P(StoreConformanceTest, ARowKeepsItsRevisionOnlyIfItIsStillTheOneThatWasRead) {
  const auto first = Put(Key("a"), "1"), second = Put(Key("a"), "2");
  ASSERT_THAT(second, IsOk());
  Commit commit{.term = term_, .preconditions = {{Key("a"), *first}}};
  commit.mutations.push_back({.key = Key("a"), .value = "one", .keep_revision = true});
  EXPECT_THAT(CommitAndWait(At(), commit), FailsWith(absl::StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_THAT(Read(Key("a")), Optional(IsRow("2", *second)));
}

TEST_P(StoreConformanceTest, KeepingARevisionNeedsAValueAPreconditionAndARow) {
  const auto first = Put(Key("a"), "1");
  ASSERT_THAT(first, IsOk());
  const auto refused = [&](std::vector<Precondition> preconditions, Mutation mutation) {
    Commit commit{.term = term_, .preconditions = std::move(preconditions)};
    mutation.keep_revision = true;
    commit.mutations.push_back(std::move(mutation));
    EXPECT_THAT(CommitAndWait(At(), std::move(commit)), StatusIs(absl::StatusCode::kInvalidArgument));
  };
  refused({}, {.key = Key("a"), .value = "2"});
  refused({{Key("b"), *first}}, {.key = Key("a"), .value = "2"});
  refused({{Key("new"), 0}}, {.key = Key("new"), .value = "2"});
  refused({{Key("a"), *first}}, {.key = Key("a")});
  refused({{Key("a12345678"), *first}}, {.key = Key("a12345678"), .value = "", .revision_offset = 1});
  EXPECT_THAT(Read(Key("a")), Optional(IsRow("1", *first)));
}

}  // namespace keyferry

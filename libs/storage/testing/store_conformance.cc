#include "libs/storage/testing/store_conformance.h"

#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/big_endian.h"
#include "libs/storage/testing/memory_store.h"

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

TEST_P(StoreConformanceTest, DoneIsCalledOnceAndNeverInsideCommitAsync) {
  Store& store = At();
  for (const Term term : {term_, Term{.number = term_.number + 1}}) {
    absl::Notification returned, done;
    std::atomic<int> calls = 0;
    store.CommitAsync({.term = term, .mutations = {{.key = Key("a"), .value = "1"}}}, [&](absl::StatusOr<Revision>) {
      returned.WaitForNotification();
      ++calls;
      done.Notify();
    });
    returned.Notify();
    done.WaitForNotification();
    ASSERT_THAT(CommitAndWait(store, {.term = term_, .mutations = {{.key = Key("b"), .value = "2"}}}), IsOk());
    EXPECT_EQ(calls, 1);
  }
}

TEST_P(StoreConformanceTest, CommitsOfOneThreadAreOrderedAndSeeEachOther) {
  Store& store = At();
  constexpr int kCommits = 200;
  std::vector<absl::StatusOr<Revision>> creates(kCommits), writes(kCommits);
  absl::BlockingCounter left(2 * kCommits);
  for (int i = 0; i < kCommits; ++i) {
    store.CommitAsync(
        {.term = term_, .preconditions = {{Key("one"), 0}}, .mutations = {{.key = Key("one"), .value = "1"}}},
        [&, i](absl::StatusOr<Revision> result) {
          creates[i] = std::move(result);
          left.DecrementCount();
        });
    store.CommitAsync({.term = term_, .mutations = {{.key = Key(absl::StrCat("row", i)), .value = "1"}}},
                      [&, i](absl::StatusOr<Revision> result) {
                        writes[i] = std::move(result);
                        left.DecrementCount();
                      });
  }
  left.Wait();
  EXPECT_THAT(creates[0], IsOk());
  for (int i = 1; i < kCommits; ++i) {
    EXPECT_THAT(creates[i], StatusIs(absl::StatusCode::kAborted));
    EXPECT_GT(*writes[i], *writes[i - 1]);
  }
}

TEST_P(StoreConformanceTest, ACounterThatThreadsRaceForCountsEveryOne) {
  Store& store = At();
  constexpr int kThreads = 8, kIncrements = 50;
  const auto increment = [&] {
    while (true) {
      const auto row = store.Get(Key("counter"));
      ASSERT_THAT(row, IsOk());
      const int count = *row ? std::stoi((*row)->value) : 0;
      const auto result =
          CommitAndWait(store, {.term = term_,
                                .preconditions = {{Key("counter"), *row ? (*row)->revision : 0}},
                                .mutations = {{.key = Key("counter"), .value = absl::StrCat(count + 1)}}});
      if (result.ok()) return;
      ASSERT_THAT(result, StatusIs(absl::StatusCode::kAborted));
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kIncrements; ++n) increment();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Read(Key("counter"))->value, absl::StrCat(kThreads * kIncrements));
}

TEST_P(StoreConformanceTest, ARingNeverMissesTheLastChange) {
  Store& store = At();
  std::atomic<bool> rung = false;
  std::string seen;
  const auto subscription = store.Ring(Key("n"), PrefixEnd("n"), [&] { rung = true; });
  std::thread listener([&] {
    while (seen != "499") {
      if (!rung.exchange(false)) {
        std::this_thread::yield();
        continue;
      }
      const auto row = store.Get(Key("n1"));
      ASSERT_THAT(row, IsOk());
      if (*row) seen = (*row)->value;
    }
  });
  for (int i = 0; i < 500; ++i) {
    store.CommitAsync({.term = term_, .mutations = {{.key = Key("n1"), .value = absl::StrCat(i)}}}, [](const auto&) {});
  }
  listener.join();
  EXPECT_EQ(seen, "499");
}

TEST_P(StoreConformanceTest, ARingHearsOfErasedAndOfStampedRows) {
  ASSERT_THAT(Put(Key("a"), "1"), IsOk());
  Store& store = At();
  absl::Notification erased, stamped;
  const auto on_erase = store.Ring(Key("a"), "b", [&] {
    if (!erased.HasBeenNotified()) erased.Notify();
  });
  const auto on_stamp = store.Ring(Key("q", Family::kPending), "", [&] {
    if (!stamped.HasBeenNotified()) stamped.Notify();
  });
  ASSERT_THAT(CommitAndWait(store, {.term = term_,
                                    .mutations = {{.key = Key("a")},
                                                  {.key = Key("q" + std::string(8, '\0'), Family::kPending),
                                                   .value = "",
                                                   .revision_offset = 1}}}),
              IsOk());
  EXPECT_TRUE(erased.WaitForNotificationWithTimeout(absl::Seconds(30)));
  EXPECT_TRUE(stamped.WaitForNotificationWithTimeout(absl::Seconds(30)));
}

TEST_P(StoreConformanceTest, AnEndedSubscriptionIsNotRung) {
  Store& store = At();
  std::atomic<bool> ended = false, rung_after_end = false;
  std::atomic<int> answered = 0;
  for (int round = 0; round < 50; ++round) {
    ended = false;
    auto subscription = store.Ring(Key(""), "", [&] {
      if (ended) rung_after_end = true;
    });
    store.CommitAsync({.term = term_, .mutations = {{.key = Key("a"), .value = "1"}}},
                      [&](const auto&) { ++answered; });
    subscription.reset();
    ended = true;
    ASSERT_THAT(CommitAndWait(store, {.term = term_, .mutations = {{.key = Key("b"), .value = "1"}}}), IsOk());
  }
  EXPECT_EQ(answered, 50);
  EXPECT_FALSE(rung_after_end);
}

TEST_P(StoreConformanceTest, RandomOperationsGiveWhatTheMemoryStoreGives) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const auto below = [&](int bound) { return static_cast<int>(random() % bound); };
  const auto model = NewMemoryStore();
  Term model_term = *model->AcquireWriter(Lineage::kKeep);
  const auto random_key = [&] { return Key(absl::StrCat("k", below(12)), static_cast<Family>(below(3) + 2)); };
  std::map<Revision, Revision> ours_of_models = {{0, 0}};
  // Reopening takes its time.
  const int steps = GetParam().reopen_between_operations ? 30 : 400;
  for (int step = 0; step < steps; ++step) {
    if (below(40) == 0) {
      const Lineage lineage = below(2) ? Lineage::kKeep : Lineage::kNext;
      model_term = *model->AcquireWriter(lineage);
      const auto term = At().AcquireWriter(lineage);
      ASSERT_THAT(term, IsOk());
      term_ = *term;
    } else if (below(3) == 0) {
      const RowKey begin = random_key();
      const size_t limit = below(6) + 1;
      EXPECT_EQ(KeysOf(At().Scan(begin, "", limit)), KeysOf(model->Scan(begin, "", limit)));
    } else {
      Commit commit{.term = model_term}, ours{.term = term_};
      for (int i = below(3); i > 0; --i) {
        const RowKey key = random_key();
        const auto row = *model->Get(key);
        const Revision revision = row && below(4) != 0 ? row->revision : 0;
        commit.preconditions.push_back({key, revision});
        ours.preconditions.push_back({key, ours_of_models[revision]});
      }
      for (int i = below(3) + 1; i > 0; --i) {
        commit.mutations.push_back({.key = random_key()});
        if (below(4) != 0) commit.mutations.back().value = std::string(below(100), static_cast<char>(below(256)));
      }
      ours.mutations = commit.mutations;
      const auto expected = CommitAndWait(*model, commit);
      const auto actual = CommitAndWait(At(), ours);
      ASSERT_EQ(actual.status().code(), expected.status().code()) << "step " << step;
      if (actual.ok()) ours_of_models[*expected] = *actual;
    }
    const RowKey key = random_key();
    const auto expected = *model->Get(key), actual = Read(key);
    ASSERT_EQ(actual.has_value(), expected.has_value()) << "step " << step;
    if (actual) {
      ASSERT_EQ(actual->value, expected->value) << "step " << step;
    }
  }
}

}  // namespace keyferry

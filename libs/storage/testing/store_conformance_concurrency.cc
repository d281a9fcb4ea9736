// What threads, rings and random operations see.
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
#include "libs/storage/testing/store_conformance.h"

namespace keyferry {
namespace {

RowKey Key(std::string bytes, Family family = Family::kSets) { return {family, std::move(bytes)}; }

std::vector<std::string> KeysOf(const absl::StatusOr<std::vector<KeyedRow>>& rows) {
  EXPECT_THAT(rows, IsOk());
  std::vector<std::string> keys;
  if (rows.ok()) {
    for (const KeyedRow& row : *rows) keys.push_back(row.key.bytes);
  }
  return keys;
}

}  // namespace

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

TEST_P(StoreConformanceTest, NoRingTellsOfARowThatKeptItsRevision) {
  Store& store = At();
  const auto first = CommitAndWait(store, {.term = term_, .mutations = {{.key = Key("a"), .value = "1"}}});
  ASSERT_THAT(first, IsOk());
  // The first one's rings are over once a later commit is answered.
  ASSERT_THAT(CommitAndWait(store, {.term = term_, .mutations = {{.key = Key("m"), .value = ""}}}), IsOk());
  std::atomic<int> kept_rings = 0, last_rings = 0;
  absl::Notification last;
  const auto on_kept = store.Ring(Key("a"), "b", [&] { ++kept_rings; });
  const auto on_last = store.Ring(Key("z"), "", [&] {
    if (++last_rings == 1) last.Notify();
  });
  Commit commit{.term = term_, .preconditions = {{Key("a"), *first}}};
  commit.mutations.push_back({.key = Key("a"), .value = "one", .keep_revision = true});
  ASSERT_THAT(CommitAndWait(store, std::move(commit)), IsOk());
  ASSERT_THAT(CommitAndWait(store, {.term = term_, .mutations = {{.key = Key("z"), .value = "2"}}}), IsOk());
  last.WaitForNotification();
  EXPECT_EQ(kept_rings, 0);
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

#include "services/api/transaction.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "libs/common/limits.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/storage/commit_here.h"
#include "services/api/call_scope.h"
#include "services/api/testing/api_scene.h"
#include "services/api/testing/interrupting_store.h"

namespace keyferry {
namespace {

using absl::StatusCode;

class TransactionTest : public testing::Test {
 protected:
  TransactionTest() { term_ = *store_->AcquireWriter(Lineage::kKeep); }

  absl::StatusOr<Revision> Run(TransactionPlan plan) {
    return Await<absl::StatusOr<Revision>>([&](std::function<void(absl::StatusOr<Revision>)> done) {
      RunTransaction(writer_, std::move(plan), std::move(done));
    });
  }
  absl::StatusOr<Revision> Put(const std::string& value) {
    return Run([&](Transaction& transaction) {
      transaction.Put(kRow, value);
      return absl::OkStatus();
    });
  }
  std::string Value() { return (*store_->Get(kRow))->value; }

  const RowKey kRow{.family = Family::kMeta, .bytes = "row"};
  std::unique_ptr<Store> store_ = NewMemoryStore();
  Term term_;
  std::unique_ptr<Executor> executor_ = NewThreadPool(4);
  const Writer writer_{.store = *store_, .executor = *executor_, .term = [this] { return term_; }};
};

TEST_F(TransactionTest, AnswersTheRevisionThatItsRowsCarry) {
  const auto revision = Put("value");
  ASSERT_THAT(revision, IsOk());
  EXPECT_EQ((*store_->Get(kRow))->revision, *revision);
}

// Its body has a thread already, and a second one would have to be woken.
TEST_F(TransactionTest, OfACallTheFirstAttemptRunsOnTheCallersThread) {
  const auto call = std::make_shared<const AuditedCall>(AuditedCall{.caller = {.organization = "acme"}, .method = "Service/Rpc"});
  std::thread::id planned;
  const auto plan = [&](Transaction& transaction) {
    planned = std::this_thread::get_id();
    transaction.Put(kRow, "value");
    return absl::OkStatus();
  };
  {
    const CallScope scope(call);
    ASSERT_THAT(Run(plan), IsOk());
    EXPECT_EQ(planned, std::this_thread::get_id());
  }
  ASSERT_THAT(Run(plan), IsOk());
  EXPECT_NE(planned, std::this_thread::get_id());
}

// What comes after a conflict runs on the executor's timer, perhaps in the background, where the others' commits are not to wait for it.
TEST_F(TransactionTest, OnlyTheFirstAttemptOfACallMayCommitOnItsThread) {
  InterruptingStore interrupting(*store_);
  const Writer writer{.store = interrupting, .executor = *executor_, .term = [this] { return term_; }};
  const auto call = std::make_shared<const AuditedCall>(AuditedCall{.caller = {.organization = "acme"}, .method = "Service/Rpc"});
  std::vector<bool> given;
  interrupting.BeforeNextCommit([&] {
    given.push_back(CommitHere::Take());
    EXPECT_THAT(CommitAndWait(*store_, {.term = term_, .mutations = {{.key = kRow, .value = "between"}}}), IsOk());
    interrupting.BeforeNextCommit([&] { given.push_back(CommitHere::Take()); });
  });
  const CallScope scope(call);
  EXPECT_THAT(Await<absl::StatusOr<Revision>>([&](std::function<void(absl::StatusOr<Revision>)> done) {
                const auto plan = [&](Transaction& transaction) -> absl::Status {
                  RETURN_IF_ERROR(transaction.Read(kRow).status());
                  transaction.Put(kRow, "mine");
                  return absl::OkStatus();
                };
                RunTransaction(writer, plan, std::move(done));
              }),
              IsOk());
  EXPECT_EQ(given, (std::vector<bool>{true, false}));
}

TEST_F(TransactionTest, WithoutWritesAnswersTheHead) {
  ASSERT_THAT(Put("value"), IsOk());
  EXPECT_THAT(Run([](Transaction&) { return absl::OkStatus(); }), IsOkAndHolds(store_->Head()));
}

TEST_F(TransactionTest, TheLastWriteOfAKeyCounts) {
  ASSERT_THAT(Run([&](Transaction& transaction) {
                transaction.Erase(kRow);
                transaction.Put(kRow, "first");
                transaction.Put(kRow, "second");
                return absl::OkStatus();
              }),
              IsOk());
  EXPECT_EQ(Value(), "second");
}

TEST_F(TransactionTest, RunsAgainWhenARowItReadChanged) {
  ASSERT_THAT(Put("old"), IsOk());
  std::atomic<int> runs = 0;
  ASSERT_THAT(Run([&](Transaction& transaction) -> absl::Status {
                ASSIGN_OR_RETURN(const auto row, transaction.Read(kRow));
                if (++runs == 1) {
                  EXPECT_THAT(CommitAndWait(*store_, {.term = term_, .mutations = {{.key = kRow, .value = "between"}}}),
                              IsOk());
                }
                transaction.Put(kRow, row->value + " and mine");
                return absl::OkStatus();
              }),
              IsOk());
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(Value(), "between and mine");
}

TEST_F(TransactionTest, PinsTheAbsenceOfARowToo) {
  std::atomic<int> runs = 0;
  ASSERT_THAT(Run([&](Transaction& transaction) -> absl::Status {
                ASSIGN_OR_RETURN(const auto row, transaction.Read(kRow));
                if (++runs == 1) {
                  EXPECT_FALSE(row);
                  EXPECT_THAT(CommitAndWait(*store_, {.term = term_, .mutations = {{.key = kRow, .value = "between"}}}),
                              IsOk());
                }
                transaction.Put({.family = Family::kMeta, .bytes = "other"}, "x");
                return absl::OkStatus();
              }),
              IsOk());
  EXPECT_EQ(runs, 2);
}

TEST_F(TransactionTest, DoesNotRunAPlanAgainThatAnswersAbortedItself) {
  std::atomic<int> runs = 0;
  EXPECT_THAT(Run([&](Transaction& transaction) {
                ++runs;
                transaction.Put(kRow, "value");
                return MakeError(StatusCode::kAborted, "no", {.reason = "ETAG_MISMATCH"});
              }),
              FailsWith(StatusCode::kAborted, "ETAG_MISMATCH"));
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(*store_->Get(kRow));
}

TEST_F(TransactionTest, DoesNotBelieveAnErrorThatRestsOnARowWhichHasChanged) {
  ASSERT_THAT(Put("old"), IsOk());
  std::atomic<int> runs = 0;
  EXPECT_THAT(Run([&](Transaction& transaction) -> absl::Status {
                ASSIGN_OR_RETURN(const auto row, transaction.Read(kRow));
                if (++runs == 1) {
                  EXPECT_THAT(CommitAndWait(*store_, {.term = term_, .mutations = {{.key = kRow, .value = "between"}}}),
                              IsOk());
                }
                return absl::NotFoundError(row->value);
              }),
              StatusIs(StatusCode::kNotFound));
  EXPECT_EQ(runs, 2);
}

TEST_F(TransactionTest, GivesUpAfterTheLastAttempt) {
  std::atomic<int> runs = 0;
  EXPECT_THAT(Run([&](Transaction& transaction) -> absl::Status {
                RETURN_IF_ERROR(transaction.Read(kRow).status());
                EXPECT_THAT(CommitAndWait(*store_, {.term = term_,
                                                    .mutations = {{.key = kRow, .value = std::to_string(++runs)}}}),
                            IsOk());
                transaction.Put(kRow, "mine");
                return absl::OkStatus();
              }),
              FailsWith(StatusCode::kAborted, "CONCURRENT_MODIFICATION"));
  EXPECT_EQ(runs, kMaxCommitAttempts);
  EXPECT_EQ(Value(), std::to_string(kMaxCommitAttempts));
}

TEST_F(TransactionTest, HandsOnTheStoresOtherErrors) {
  FaultyStore faulty(*store_);
  faulty.Inject({.kind = FaultyStore::Kind::kFailCommitBefore, .status = absl::ResourceExhaustedError("full")});
  const Writer writer{.store = faulty, .executor = *executor_, .term = [this] { return term_; }};
  EXPECT_THAT(Await<absl::StatusOr<Revision>>([&](std::function<void(absl::StatusOr<Revision>)> done) {
                RunTransaction(
                    writer,
                    [&](Transaction& transaction) {
                      transaction.Put(kRow, "value");
                      return absl::OkStatus();
                    },
                    std::move(done));
              }),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_FALSE(*store_->Get(kRow));
}

TEST_F(TransactionTest, ManyThreadsCountWithoutLosingOne) {
  constexpr int kThreads = 8;
  constexpr int kCounts = 50;
  ASSERT_THAT(Put("0"), IsOk());
  std::atomic<int> counted = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kCounts; ++n) {
        const auto added = Run([&](Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(const auto row, transaction.Read(kRow));
          transaction.Put(kRow, std::to_string(std::stoi(row->value) + 1));
          return absl::OkStatus();
        });
        if (added.ok()) ++counted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Value(), std::to_string(counted));
  EXPECT_GT(counted, kThreads * kCounts / 2);
}

}  // namespace
}  // namespace keyferry

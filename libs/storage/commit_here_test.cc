#include "libs/storage/commit_here.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/storage/rocksdb_store.h"

namespace keyferry {
namespace {

class CommitHereTest : public ::testing::Test {
 protected:
  Commit PutOf(const std::string& key) const { return {.term = term_, .mutations = {{.key = {Family::kSets, key}, .value = "value"}}}; }
  // Answers the thread that called `done`.
  std::thread::id ThreadThatAnswers(bool with_leave) {
    std::optional<CommitHere> here;
    if (with_leave) here.emplace();
    std::thread::id thread;
    absl::Notification answered;
    store_->CommitAsync(PutOf("key"), [&](const absl::StatusOr<Revision>& committed) {
      EXPECT_THAT(committed, IsOk());
      thread = std::this_thread::get_id();
      answered.Notify();
    });
    answered.WaitForNotification();
    return thread;
  }

  // Until nobody is at it any more: the thread that answers is for a moment after its answer.
  void AwaitIdleStore() {
    while (ThreadThatAnswers(/*with_leave=*/true) != std::this_thread::get_id()) std::this_thread::yield();
  }
  void SetUp() override { AwaitIdleStore(); }

  const TempDir directory_;
  const std::unique_ptr<Store> store_ = *OpenRocksDbStore({.path = directory_.File("store")});
  const Term term_ = *store_->AcquireWriter(Lineage::kKeep);
};

TEST_F(CommitHereTest, ACommitThatHasTheStoreForItselfIsAnsweredOnItsCallersThreadWithLeaveAlone) {
  EXPECT_EQ(ThreadThatAnswers(/*with_leave=*/true), std::this_thread::get_id());
  EXPECT_NE(ThreadThatAnswers(/*with_leave=*/false), std::this_thread::get_id());
  AwaitIdleStore();
}

TEST_F(CommitHereTest, LeaveIsForOneCommitAndNotForWhatThatOneCalls) {
  const CommitHere here;
  absl::Notification answered;
  std::thread::id inner;
  bool returned = false;
  store_->CommitAsync(PutOf("outer"), [&](const absl::StatusOr<Revision>&) {
    EXPECT_FALSE(CommitHere::Take());
    store_->CommitAsync(PutOf("inner"), [&](const absl::StatusOr<Revision>& committed) {
      EXPECT_THAT(committed, IsOk());
      inner = std::this_thread::get_id();
      answered.Notify();
    });
    returned = true;
  });
  EXPECT_TRUE(returned);
  answered.WaitForNotification();
  EXPECT_NE(inner, std::this_thread::get_id());
}

TEST_F(CommitHereTest, RingsAreCalledAfterTheAnswerAndBeforeItReturns) {
  std::vector<std::string> calls;
  const auto ring = store_->Ring({Family::kSets, "k"}, "l", [&] { calls.push_back("ring"); });
  const CommitHere here;
  store_->CommitAsync(PutOf("key"), [&](const absl::StatusOr<Revision>&) { calls.push_back("done"); });
  EXPECT_EQ(calls, (std::vector<std::string>{"done", "ring"}));
}

TEST_F(CommitHereTest, WhoeverCommitsAnswersComeInOrderOfRevisionAndNoneIsLost) {
  constexpr int kThreads = 8, kEach = 200;
  absl::Mutex mutex;
  std::vector<Revision> answered;
  absl::BlockingCounter left(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        std::optional<CommitHere> here;
        if ((t + i) % 3 != 0) here.emplace();
        store_->CommitAsync(PutOf(absl::StrCat("key", t, "-", i)), [&](const absl::StatusOr<Revision>& committed) {
          ASSERT_THAT(committed, IsOk());
          {
            const absl::MutexLock lock(&mutex);
            answered.push_back(*committed);
          }
          left.DecrementCount();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  left.Wait();
  const absl::MutexLock lock(&mutex);
  EXPECT_EQ(answered.size(), size_t{kThreads * kEach});
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
  EXPECT_EQ(store_->Head(), answered.back());
}

TEST_F(CommitHereTest, AStoreThatClosesWaitsForACommitOnAnothersThread) {
  auto store = *OpenRocksDbStore({.path = directory_.File("other")});
  const Term term = *store->AcquireWriter(Lineage::kKeep);
  absl::Notification committing;
  bool done = false;
  std::thread caller([&] {
    const CommitHere here;
    store->CommitAsync({.term = term, .mutations = {{.key = {Family::kSets, "key"}, .value = "value"}}}, [&](const absl::StatusOr<Revision>& committed) {
      EXPECT_THAT(committed, IsOk());
      committing.Notify();
      absl::SleepFor(absl::Milliseconds(50));
      done = true;
    });
  });
  committing.WaitForNotification();
  store = nullptr;
  EXPECT_TRUE(done);
  caller.join();
}

}  // namespace
}  // namespace keyferry

#include "libs/common/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <numeric>
#include <thread>
#include <vector>

#include "absl/time/clock.h"

namespace keyferry {
namespace {

// Waiting is std::latch's, which TSan sees through, unlike Debian's uninstrumented Abseil. What never comes runs into
// ctest's timeout.
constexpr absl::Duration kLong = absl::Hours(1);

class ExecutorTest : public ::testing::Test {
 protected:
  std::unique_ptr<Executor> pool_ = NewThreadPool(4);
};

TEST_F(ExecutorTest, RunRunsEverythingOnOtherThreads) {
  std::latch left(1000);
  for (int i = 0; i < 1000; ++i) {
    pool_->Run([&, caller = std::this_thread::get_id()] {
      EXPECT_NE(std::this_thread::get_id(), caller);
      left.count_down();
    });
  }
  left.wait();
}

TEST_F(ExecutorTest, WorkMayRunMoreWork) {
  std::latch done(1);
  pool_->Run([&] { pool_->Run([&] { pool_->RunAfter(absl::ZeroDuration(), [&] { done.count_down(); }); }); });
  done.wait();
}

TEST_F(ExecutorTest, OneBlockedThreadDoesNotHoldUpTheOthers) {
  std::latch release(1), done(1);
  pool_->Run([&] { release.wait(); });
  pool_->Run([&] { done.count_down(); });
  done.wait();
  release.count_down();
}

TEST_F(ExecutorTest, TheDestructorFinishesWhatRunWasGivenAndWhatThatRan) {
  std::atomic<int> ran = 0;
  for (int i = 0; i < 500; ++i) {
    pool_->Run([&] {
      ++ran;
      pool_->Run([&] { ++ran; });
    });
  }
  // The pointer is valid in the work until the destructor returns, which unique_ptr::reset would not give.
  delete pool_.get();
  EXPECT_EQ(ran, 1000);
  pool_.release();
}

TEST_F(ExecutorTest, TheDestructorDropsWhatRunAfterWasGivenWithoutWaiting) {
  const auto witness = std::make_shared<int>();
  const absl::Time start = absl::Now();
  pool_->RunAfter(kLong, [witness] { FAIL() << "an hour too early"; });
  pool_.reset();
  EXPECT_LT(absl::Now() - start, kLong / 2);
  EXPECT_EQ(witness.use_count(), 1) << "dropped, not leaked";
}

TEST_F(ExecutorTest, WorkIsDestroyedOnceItRan) {
  auto witness = std::make_shared<int>();
  const std::weak_ptr<int> watch = witness;
  std::latch done(1);
  pool_->Run([witness = std::move(witness)] {});
  pool_.reset();
  EXPECT_TRUE(watch.expired());
}

TEST_F(ExecutorTest, TimersRunInTheOrderOfTheirDelays) {
  const auto single = NewThreadPool(1);
  std::vector<int> order;
  std::latch left(3);
  for (const int delay : {30, 10, 20}) {
    single->RunAfter(absl::Milliseconds(delay), [&, delay] {
      order.push_back(delay);
      left.count_down();
    });
  }
  left.wait();
  EXPECT_EQ(order, (std::vector<int>{10, 20, 30}));
}

TEST_F(ExecutorTest, ATimerIsNeverEarly) {
  std::latch done(1);
  const absl::Time start = absl::Now();
  pool_->RunAfter(absl::Milliseconds(20), [&] { done.count_down(); });
  done.wait();
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(19));
}

TEST_F(ExecutorTest, ANegativeDelayIsNow) {
  std::latch done(1);
  pool_->RunAfter(-kLong, [&] { done.count_down(); });
  done.wait();
}

TEST_F(ExecutorTest, AnInfiniteDelayIsNever) {
  std::atomic<bool> ran = false;
  std::latch later(1);
  pool_->RunAfter(absl::InfiniteDuration(), [&] { ran = true; });
  pool_->RunAfter(absl::Milliseconds(5), [&] { later.count_down(); });
  later.wait();
  pool_.reset();
  EXPECT_FALSE(ran);
}

class StrandTest : public ExecutorTest {};

TEST_F(StrandTest, WorkRunsInOrderAndOneAtATime) {
  const auto strand = Strand::Create(*pool_);
  std::vector<int> order;
  std::latch done(1);
  for (int i = 0; i < 10'000; ++i) strand->Run([&order, i] { order.push_back(i); });
  strand->Run([&] { done.count_down(); });
  done.wait();
  std::vector<int> expected(10'000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST_F(StrandTest, WorkOfManyThreadsNeverOverlaps) {
  const auto strand = Strand::Create(*pool_);
  int unguarded = 0;
  std::latch left(4 * 2000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        strand->Run([&] {
          ++unguarded;
          left.count_down();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  left.wait();
  EXPECT_EQ(unguarded, 4 * 2000);
}

TEST_F(StrandTest, StrandsRunBesideEachOther) {
  const auto blocked = Strand::Create(*pool_);
  const auto free = Strand::Create(*pool_);
  std::latch release(1), done(1);
  blocked->Run([&] { release.wait(); });
  free->Run([&] { done.count_down(); });
  done.wait();
  release.count_down();
}

TEST_F(StrandTest, WorkRunFromItsOwnWorkComesLater) {
  const auto strand = Strand::Create(*pool_);
  std::string order;
  std::latch done(1);
  strand->Run([&, strand] {
    strand->Run([&] {
      order += "b";
      done.count_down();
    });
    order += "a";
  });
  done.wait();
  EXPECT_EQ(order, "ab");
}

TEST_F(StrandTest, QueuedWorkOutlivesTheLastPointer) {
  std::latch release(1), done(1);
  auto strand = Strand::Create(*pool_);
  strand->Run([&] { release.wait(); });
  strand->Run([&] { done.count_down(); });
  strand.reset();
  release.count_down();
  done.wait();
}

TEST_F(StrandTest, ATimerRunsOnTheStrand) {
  const auto strand = Strand::Create(*pool_);
  int unguarded = 0;
  std::latch done(1);
  strand->RunAfter(absl::Milliseconds(1), [&] {
    ++unguarded;
    done.count_down();
  });
  for (int i = 0; i < 1000; ++i) strand->Run([&] { ++unguarded; });
  done.wait();
  std::latch drained(1);
  strand->Run([&] { drained.count_down(); });
  drained.wait();
  EXPECT_EQ(unguarded, 1001);
}

TEST_F(StrandTest, ATimerDoesNotKeepItsStrandAlive) {
  auto strand = Strand::Create(*pool_);
  const std::weak_ptr<Strand> watch = strand;
  std::atomic<bool> ran = false;
  strand->RunAfter(absl::Milliseconds(5), [&] { ran = true; });
  strand.reset();
  EXPECT_TRUE(watch.expired());
  std::latch later(1);
  pool_->RunAfter(absl::Milliseconds(10), [&] { later.count_down(); });
  later.wait();
  pool_.reset();
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace keyferry

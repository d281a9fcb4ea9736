#include "libs/common/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "libs/common/background_pool.h"
#include "libs/common/returns_soon.h"

namespace keyferry {
namespace {

using ::testing::AnyOf;

constexpr absl::Duration kLong = absl::Hours(1);

// Of std parts, which TSan sees through, unlike Debian's uninstrumented Abseil. What never comes runs into ctest's
// timeout.
class Countdown {
 public:
  explicit Countdown(int count) : count_(count) {}
  void Down() {
    std::lock_guard lock(mutex_);
    if (--count_ == 0) zero_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    zero_.wait(lock, [this] { return count_ <= 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable zero_;
  int count_;
};

class ExecutorTest : public ::testing::Test {
 protected:
  std::unique_ptr<Executor> pool_ = NewThreadPool(4);
};

TEST_F(ExecutorTest, RunRunsEverythingOnOtherThreads) {
  Countdown left(1000);
  for (int i = 0; i < 1000; ++i) {
    pool_->Run([&, caller = std::this_thread::get_id()] {
      EXPECT_NE(std::this_thread::get_id(), caller);
      left.Down();
    });
  }
  left.Wait();
}

int NicenessIn(Executor& pool) {
  int niceness = -1;
  Countdown done(1);
  pool.Run([&] {
    niceness = getpriority(PRIO_PROCESS, 0);
    done.Down();
  });
  done.Wait();
  return niceness;
}

TEST_F(ExecutorTest, OnlyABackgroundPoolsThreadsGiveWay) {
  const int own = getpriority(PRIO_PROCESS, 0);
  const std::unique_ptr<Executor> background = NewBackgroundPool(4);
  EXPECT_EQ(NicenessIn(*background), std::min(own + kBackgroundNiceness, 19));
  EXPECT_EQ(NicenessIn(*pool_), own);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), own);
}

// Older kernels know no slices and answer 0.
TEST_F(ExecutorTest, ABackgroundPoolsThreadsHaveALongSlice) {
  if (sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "others' slices are the kernel's";
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t niceness;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes{};
  const std::unique_ptr<Executor> background = NewBackgroundPool(1);
  Countdown done(1);
  background->Run([&] {
    syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0);
    done.Down();
  });
  done.Wait();
  EXPECT_EQ(attributes.size, sizeof attributes);
  EXPECT_THAT(absl::Nanoseconds(attributes.runtime), AnyOf(absl::ZeroDuration(), kBackgroundSlice));
}

TEST_F(ExecutorTest, WhatAThreadGivesAwayAsItReturnsIsDoneAtTheLatestByIt) {
  constexpr int kChains = 8, kLinks = 500;
  Countdown done(kChains);
  std::function<void(int)> link = [&](int left) {
    if (left == 0) return done.Down();
    const ReturnsSoon soon;
    pool_->Run([&link, left] { link(left - 1); });
  };
  for (int i = 0; i < kChains; ++i) pool_->Run([&] { link(kLinks); });
  done.Wait();
}

TEST_F(ExecutorTest, OfWhatAThreadGivesAwayAsItReturnsNoneWaitsForAnother) {
  constexpr int kGiven = 3;
  Countdown all(kGiven);
  pool_->Run([&] {
    const ReturnsSoon soon;
    for (int i = 0; i < kGiven; ++i) {
      pool_->Run([&] {
        all.Down();
        all.Wait();
      });
    }
  });
  all.Wait();
  pool_ = nullptr;
}

// w0 is announced and taken, w1 and w2 are given away under a promise before and after that: none may wait for another.
TEST_F(ExecutorTest, NorForWhatSomebodyElseGave) {
  constexpr int kWork = 3;
  Countdown met(kWork), w0_runs(1);
  const auto meet = [&] {
    met.Down();
    met.Wait();
  };
  pool_->Run([&] {
    const ReturnsSoon soon;
    std::thread([&] { pool_->Run([&] { w0_runs.Down(), meet(); }); }).join();
    pool_->Run(meet);
    w0_runs.Wait();
    pool_->Run(meet);
  });
  met.Wait();
  pool_ = nullptr;
}

TEST_F(ExecutorTest, APromiseToReturnSoonCountsForThePoolOfTheThreadAlone) {
  const std::unique_ptr<Executor> other = NewThreadPool(1);
  Countdown done(2);
  Countdown elsewhere(1);
  const ReturnsSoon outside;
  pool_->Run([&] {
    {
      const ReturnsSoon soon;
      other->Run([&] { elsewhere.Down(); });
    }
    // Comes only if the other pool was woken.
    elsewhere.Wait();
    done.Down();
  });
  pool_->Run([&] { done.Down(); });
  done.Wait();
}

TEST_F(ExecutorTest, ATimerThatComesBeforeAnotherIsNotHeldUpByIt) {
  Countdown done(1);
  pool_->RunAfter(kLong, [] {});
  pool_->RunAfter(absl::Milliseconds(5), [&] { pool_->RunAfter(absl::Milliseconds(5), [&] { done.Down(); }); });
  done.Wait();
}

TEST_F(ExecutorTest, WorkMayRunMoreWork) {
  Countdown done(1);
  pool_->Run([&] { pool_->Run([&] { pool_->RunAfter(absl::ZeroDuration(), [&] { done.Down(); }); }); });
  done.Wait();
}

TEST_F(ExecutorTest, OneBlockedThreadDoesNotHoldUpTheOthers) {
  Countdown release(1), done(1);
  pool_->Run([&] { release.Wait(); });
  pool_->Run([&] { done.Down(); });
  done.Wait();
  release.Down();
  pool_.reset();
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
  pool_->Run([witness = std::move(witness)] {});
  pool_.reset();
  EXPECT_TRUE(watch.expired());
}

TEST_F(ExecutorTest, TimersRunInTheOrderOfTheirDelays) {
  const auto single = NewThreadPool(1);
  std::vector<int> order;
  Countdown left(3);
  for (const int delay : {30, 10, 20}) {
    single->RunAfter(absl::Milliseconds(delay), [&, delay] {
      order.push_back(delay);
      left.Down();
    });
  }
  left.Wait();
  EXPECT_EQ(order, (std::vector<int>{10, 20, 30}));
}

TEST_F(ExecutorTest, ATimerIsNeverEarly) {
  Countdown done(1);
  const absl::Time start = absl::Now();
  pool_->RunAfter(absl::Milliseconds(20), [&] { done.Down(); });
  done.Wait();
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(19));
}

TEST_F(ExecutorTest, ANegativeDelayIsNow) {
  Countdown done(1);
  pool_->RunAfter(-kLong, [&] { done.Down(); });
  done.Wait();
}

TEST_F(ExecutorTest, AnInfiniteDelayIsNever) {
  std::atomic<bool> ran = false;
  Countdown later(1);
  pool_->RunAfter(absl::InfiniteDuration(), [&] { ran = true; });
  pool_->RunAfter(absl::Milliseconds(5), [&] { later.Down(); });
  later.Wait();
  pool_.reset();
  EXPECT_FALSE(ran);
}

class StrandTest : public ExecutorTest {};

TEST_F(StrandTest, WorkRunsInOrderAndOneAtATime) {
  const auto strand = Strand::Create(*pool_);
  std::vector<int> order;
  Countdown done(1);
  for (int i = 0; i < 10'000; ++i) strand->Run([&order, i] { order.push_back(i); });
  strand->Run([&] { done.Down(); });
  done.Wait();
  std::vector<int> expected(10'000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST_F(StrandTest, WorkOfManyThreadsNeverOverlaps) {
  const auto strand = Strand::Create(*pool_);
  int unguarded = 0;
  Countdown left(4 * 2000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        strand->Run([&] {
          ++unguarded;
          left.Down();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  left.Wait();
  EXPECT_EQ(unguarded, 4 * 2000);
}

TEST_F(StrandTest, StrandsRunBesideEachOther) {
  const auto blocked = Strand::Create(*pool_);
  const auto free = Strand::Create(*pool_);
  Countdown release(1), done(1);
  blocked->Run([&] { release.Wait(); });
  free->Run([&] { done.Down(); });
  done.Wait();
  release.Down();
  pool_.reset();
}

TEST_F(StrandTest, WorkRunFromItsOwnWorkComesLater) {
  const auto strand = Strand::Create(*pool_);
  std::string order;
  Countdown done(1);
  strand->Run([&, strand] {
    strand->Run([&] {
      order += "b";
      done.Down();
    });
    order += "a";
  });
  done.Wait();
  EXPECT_EQ(order, "ab");
}

TEST_F(StrandTest, WhatHasNotBegunMovesWithItInOrderAndOneAtATime) {
  const auto other = NewThreadPool(2);
  Executor* const executors[] = {pool_.get(), other.get()};
  const auto strand = Strand::Create(*pool_);
  constexpr int kWork = 20'000;
  std::vector<int> order;
  Countdown done(1);
  for (int i = 0; i < kWork; ++i) {
    strand->Run([&order, &executors, &strand, i] {
      if (i % 7 == 0) strand->MoveTo(*executors[i % 2]);
      order.push_back(i);
    });
    if (i % 13 == 0) strand->MoveTo(*executors[i % 2]);
  }
  strand->Run([&] { done.Down(); });
  done.Wait();
  std::vector<int> expected(kWork);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST_F(StrandTest, AMoveByItsOwnWorkHoldsForTheNext) {
  const auto background = NewBackgroundPool(1);
  const auto strand = Strand::Create(*pool_);
  std::vector<int> niceness;
  Countdown done(3);
  const auto note = [&] {
    niceness.push_back(getpriority(PRIO_PROCESS, 0));
    done.Down();
  };
  strand->Run([&] {
    strand->Run(note);
    strand->RunAfter(absl::ZeroDuration(), note);
    note();
    strand->MoveTo(*background);
  });
  done.Wait();
  const int own = getpriority(PRIO_PROCESS, 0);
  const int lower = std::min(own + kBackgroundNiceness, 19);
  EXPECT_EQ(niceness, (std::vector<int>{own, lower, lower}));
}

TEST(DroppedStrandTest, WorkThatItsExecutorDropsIsDestroyed) {
  class Closed final : public Executor {
   public:
    void Run(std::function<void()>) override {}
    void RunAfter(absl::Duration, std::function<void()>) override {}
  } closed;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  auto strand = Strand::Create(closed);
  const std::weak_ptr<Strand> alive = strand;
  for (int i = 0; i < 2; ++i) strand->Run([held, strand] {});
  held.reset();
  EXPECT_TRUE(watched.expired());
  strand.reset();
  EXPECT_TRUE(alive.expired());
}

TEST_F(StrandTest, QueuedWorkOutlivesTheLastPointer) {
  Countdown release(1), done(1);
  auto strand = Strand::Create(*pool_);
  strand->Run([&] { release.Wait(); });
  strand->Run([&] { done.Down(); });
  strand.reset();
  release.Down();
  done.Wait();
}

TEST_F(StrandTest, ATimerRunsOnTheStrand) {
  const auto strand = Strand::Create(*pool_);
  int unguarded = 0;
  Countdown done(1);
  strand->RunAfter(absl::Milliseconds(1), [&] {
    ++unguarded;
    done.Down();
  });
  for (int i = 0; i < 1000; ++i) strand->Run([&] { ++unguarded; });
  done.Wait();
  Countdown drained(1);
  strand->Run([&] { drained.Down(); });
  drained.Wait();
  EXPECT_EQ(unguarded, 1001);
}

TEST_F(StrandTest, ATimerDoesNotKeepItsStrandAlive) {
  auto strand = Strand::Create(*pool_);
  const std::weak_ptr<Strand> watch = strand;
  std::atomic<bool> ran = false;
  strand->RunAfter(absl::Milliseconds(5), [&] { ran = true; });
  strand.reset();
  EXPECT_TRUE(watch.expired());
  Countdown later(1);
  pool_->RunAfter(absl::Milliseconds(10), [&] { later.Down(); });
  later.Wait();
  pool_.reset();
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace keyferry

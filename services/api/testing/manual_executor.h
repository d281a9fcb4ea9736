// An executor that runs on the thread of the test, when the test says so, on a FakeClock's time.
#ifndef KEYFERRY_SERVICES_API_TESTING_MANUAL_EXECUTOR_H_
#define KEYFERRY_SERVICES_API_TESTING_MANUAL_EXECUTOR_H_

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <utility>

#include "libs/common/executor.h"
#include "libs/common/testing/fake_clock.h"

namespace keyferry {

// Confined to one thread.
class ManualExecutor final : public Executor {
 public:
  // Picks the next of `count` pieces of work; absent: the oldest.
  using Pick = std::function<size_t(size_t count)>;
  explicit ManualExecutor(FakeClock& clock, Pick pick = nullptr) : clock_(clock), pick_(std::move(pick)) {}

  void Run(std::function<void()> work) override { queue_.push_back(std::move(work)); }
  void RunAfter(absl::Duration delay, std::function<void()> work) override {
    timers_.emplace(clock_.Monotonic() + delay, std::move(work));
  }

  // False when there is nothing to run now.
  bool RunOne() {
    if (queue_.empty()) return false;
    const size_t index = pick_ ? pick_(queue_.size()) : 0;
    const std::function<void()> work = std::move(queue_[index]);
    queue_.erase(queue_.begin() + index);
    work();
    return true;
  }
  void RunUntilIdle() {
    while (RunOne()) {
    }
  }
  // Lets time pass, with everything that is due in it.
  void Advance(absl::Duration by) {
    const absl::Duration end = clock_.Monotonic() + by;
    RunUntilIdle();
    while (!timers_.empty() && timers_.begin()->first <= end) {
      clock_.Advance(std::max(absl::ZeroDuration(), timers_.begin()->first - clock_.Monotonic()));
      Run(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
      RunUntilIdle();
    }
    clock_.Advance(end - clock_.Monotonic());
  }
  void DropTimers() { timers_.clear(); }

 private:
  FakeClock& clock_;
  const Pick pick_;
  std::deque<std::function<void()>> queue_;
  std::multimap<absl::Duration, std::function<void()>> timers_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_MANUAL_EXECUTOR_H_

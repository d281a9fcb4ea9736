#include "libs/common/executor.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "libs/common/background_pool.h"
#include "libs/common/log.h"
#include "libs/common/returns_soon.h"

namespace keyferry {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

// Adding more to the clock could overflow, and an infinite delay would be over at once.
constexpr absl::Duration kLongestDelay = absl::Hours(24 * 365);

// sched_attr of sched_setattr(2), version 0: its header contradicts glibc's.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t niceness = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;
  uint64_t deadline = 0;
  uint64_t period = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);
constexpr uint64_t kKeepPolicy = 0x08;

// The pool that this thread works for.
thread_local const void* worker_of = nullptr;
thread_local bool gives_way = false;

class ThreadPool final : public Executor {
 public:
  // `begin`: what each thread does first.
  explicit ThreadPool(int thread_count, void (*begin)() = [] {}) {
    for (int i = 0; i < thread_count; ++i) {
      threads_.emplace_back([this, &self = all_sleepers_.emplace_back(), begin] {
        begin();
        Work(self);
      });
    }
    timer_ = std::thread([this] { Time(); });
  }

  ~ThreadPool() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      while (Sleeper* const sleeper = TakeSleeper()) sleeper->woken.notify_one();
    }
    timers_changed_.notify_all();
    timer_.join();
    for (std::thread& thread : threads_) thread.join();
  }

  void Run(std::function<void()> work) override {
    Sleeper* sleeper = nullptr;
    {
      std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
      if (worker_of != this || !ReturnsSoon::IsPromised()) {
        sleeper = TakeSleeper();
      } else {
        ++unannounced_;
      }
    }
    if (sleeper != nullptr) sleeper->woken.notify_one();
  }

  void RunAfter(absl::Duration delay, std::function<void()> work) override {
    bool first = false;
    {
      std::lock_guard lock(mutex_);
      const auto timer =
          timers_.emplace(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(std::min(delay, kLongestDelay)), std::move(work));
      first = timer == timers_.begin();
    }
    if (first) timers_changed_.notify_one();
  }

 private:
  // A thread of the pool, while it has nothing to do.
  struct Sleeper {
    std::condition_variable woken;
    bool is_asleep = false;
  };

  // Who has slept for the shortest time: its caches are warm. Null when nobody sleeps.
  Sleeper* TakeSleeper() {
    if (sleepers_.empty()) return nullptr;
    Sleeper* const sleeper = sleepers_.back();
    sleepers_.pop_back();
    sleeper->is_asleep = false;
    return sleeper;
  }

  void Work(Sleeper& self) {
    worker_of = this;
    std::unique_lock lock(mutex_);
    while (true) {
      while (queue_.empty()) {
        if (stopping_) return;
        self.is_asleep = true;
        sleepers_.push_back(&self);
        self.woken.wait(lock, [&] { return !self.is_asleep; });
      }
      std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      // One is done here; what else was given away without waking anybody must not wait for it. At worst a thread wakes for nothing.
      Sleeper* sleeper = nullptr;
      if (queue_.empty()) {
        unannounced_ = 0;
      } else if (unannounced_ > 0) {
        --unannounced_;
        sleeper = TakeSleeper();
      }
      lock.unlock();
      if (sleeper != nullptr) sleeper->woken.notify_one();
      work();
      work = nullptr;
      lock.lock();
    }
  }

  void Time() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (timers_.empty()) {
        timers_changed_.wait(lock);
      } else if (const Deadline next = timers_.begin()->first; next <= std::chrono::steady_clock::now()) {
        queue_.push_back(std::move(timers_.begin()->second));
        timers_.erase(timers_.begin());
        if (Sleeper* const sleeper = TakeSleeper()) sleeper->woken.notify_one();
      } else {
        timers_changed_.wait_until(lock, next);
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable timers_changed_;
  std::deque<std::function<void()>> queue_;
  // Whoever wakes one may still be at it when its thread has ended.
  std::deque<Sleeper> all_sleepers_;
  std::vector<Sleeper*> sleepers_;
  // Given away under a promise (ReturnsSoon), and nobody was woken for it.
  size_t unannounced_ = 0;
  std::multimap<Deadline, std::function<void()>> timers_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
  std::thread timer_;
};

}  // namespace

std::unique_ptr<Executor> NewThreadPool(int thread_count) { return std::make_unique<ThreadPool>(thread_count); }

// On Linux of the thread alone, nice(2).
void GiveWay() {
  gives_way = true;
  errno = 0;
  if (nice(kBackgroundNiceness) == -1 && errno != 0) {
    static std::once_flag said;
    std::call_once(said, [error = errno] {
      Log(Severity::kWarning, "background_at_full_priority", {{"error", std::strerror(error)}, {"mend", "let the process call setpriority"}});
    });
  }
  // glibc knows no wrapper. Where it may not, or where the kernel knows no slices, the thread is only served less.
  const SchedulingAttributes attributes{.flags = kKeepPolicy,
                                        .niceness = getpriority(PRIO_PROCESS, 0),
                                        .runtime = static_cast<uint64_t>(absl::ToInt64Nanoseconds(kBackgroundSlice))};
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

bool GivesWay() { return gives_way; }

std::unique_ptr<Executor> NewBackgroundPool(int thread_count) { return std::make_unique<ThreadPool>(thread_count, GiveWay); }

struct Strand::State {
  std::mutex mutex;
  Executor* executor;
  std::deque<std::function<void()>> queue;
  bool running = false;
  // Whoever runs it gives it to the present executor before it takes up anything more.
  bool moved = false;

  // Answers where the rest is to run; nullptr: nothing is left.
  Executor* WorkOff() {
    std::unique_lock lock(mutex);
    while (!queue.empty() && !moved) {
      std::function<void()> next = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      next();
      next = nullptr;
      lock.lock();
    }
    moved = false;
    running = !queue.empty();
    return running ? executor : nullptr;
  }
  void Drop() {
    std::deque<std::function<void()>> dropped;
    std::lock_guard lock(mutex);
    dropped.swap(queue);
    running = moved = false;
  }

  // A strand's place in its executor's queue. What an executor that was closed drops takes the strand's work with it, which may hold the strand.
  class Turn {
   public:
    explicit Turn(std::shared_ptr<Strand> strand) : strand_(std::move(strand)) {}
    ~Turn() {
      if (strand_ != nullptr) strand_->state_->Drop();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    void Take() {
      const std::shared_ptr<Strand> strand = std::exchange(strand_, nullptr);
      if (Executor* const elsewhere = strand->state_->WorkOff()) strand->TakeTurnOn(*elsewhere);
    }

   private:
    std::shared_ptr<Strand> strand_;
  };
};

Strand::Strand(Executor& executor) : state_(new State{.executor = &executor}) {}
Strand::~Strand() = default;

std::shared_ptr<Strand> Strand::Create(Executor& executor) { return std::shared_ptr<Strand>(new Strand(executor)); }

void Strand::Run(std::function<void()> work) {
  Executor* executor = nullptr;
  {
    std::lock_guard lock(state_->mutex);
    state_->queue.push_back(std::move(work));
    if (state_->running) return;
    state_->running = true;
    executor = state_->executor;
  }
  TakeTurnOn(*executor);
}

void Strand::TakeTurnOn(Executor& executor) {
  executor.Run([turn = std::make_shared<State::Turn>(shared_from_this())] { turn->Take(); });
}

void Strand::RunAfter(absl::Duration delay, std::function<void()> work) {
  Executor* executor = nullptr;
  {
    std::lock_guard lock(state_->mutex);
    executor = state_->executor;
  }
  executor->RunAfter(delay, [self = weak_from_this(), work = std::move(work)] {
    if (const std::shared_ptr<Strand> strand = self.lock()) strand->Run(work);
  });
}

void Strand::MoveTo(Executor& executor) {
  std::lock_guard lock(state_->mutex);
  if (std::exchange(state_->executor, &executor) != &executor) state_->moved = state_->running;
}

}  // namespace keyferry

#include "services/api/credential_watch.h"

#include <mutex>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace keyferry {
namespace {

struct Watched {
  Caller caller;
  CredentialWatch::Ended ended;
  // Recursive: the one who is told may leave in the call.
  std::recursive_mutex mutex;
  bool active = true;
};

class State : public std::enable_shared_from_this<State> {
 public:
  State(Executor& executor, CredentialWatch::Check check) : executor_(executor), check_(std::move(check)) {}

  std::shared_ptr<void> Watch(const Caller& caller, CredentialWatch::Ended ended) {
    auto watched = std::make_shared<Watched>();
    watched->caller = caller;
    watched->ended = std::move(ended);
    {
      const absl::MutexLock lock(&mutex_);
      all_.insert(watched);
      if (!std::exchange(ticking_, true)) Schedule();
    }
    return {nullptr, [self = shared_from_this(), watched](std::nullptr_t) { self->Leave(watched); }};
  }

  void Close() {
    const absl::MutexLock lock(&check_mutex_);
    closed_ = true;
  }

 private:
  void Schedule() {
    executor_.RunAfter(kCredentialCheckInterval, [weak = weak_from_this()] {
      if (const std::shared_ptr<State> state = weak.lock()) state->CheckAll();
    });
  }

  void CheckAll() {
    const absl::MutexLock checking(&check_mutex_);
    if (closed_) return;
    std::vector<std::shared_ptr<Watched>> watched;
    {
      const absl::MutexLock lock(&mutex_);
      if (all_.empty()) {
        ticking_ = false;
        return;
      }
      watched.assign(all_.begin(), all_.end());
    }
    for (const auto& each : watched) {
      const absl::Status checked = check_(each->caller);
      if (checked.ok()) continue;
      const std::lock_guard lock(each->mutex);
      if (each->active) each->ended(checked);
    }
    Schedule();
  }

  void Leave(const std::shared_ptr<Watched>& watched) {
    {
      const absl::MutexLock lock(&mutex_);
      all_.erase(watched);
    }
    const std::lock_guard lock(watched->mutex);
    watched->active = false;
  }

  Executor& executor_;
  const CredentialWatch::Check check_;
  absl::Mutex mutex_;
  std::unordered_set<std::shared_ptr<Watched>> all_ ABSL_GUARDED_BY(mutex_);
  bool ticking_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex check_mutex_;
  bool closed_ ABSL_GUARDED_BY(check_mutex_) = false;
};

class TickingCredentialWatch final : public CredentialWatch {
 public:
  TickingCredentialWatch(Executor& executor, Check check)
      : state_(std::make_shared<State>(executor, std::move(check))) {}
  ~TickingCredentialWatch() override { state_->Close(); }

  std::shared_ptr<void> OnEnd(const Caller& caller, Ended ended) override {
    return state_->Watch(caller, std::move(ended));
  }

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<CredentialWatch> CredentialWatch::Create(Executor& executor, Check check) {
  return std::make_unique<TickingCredentialWatch>(executor, std::move(check));
}

}  // namespace keyferry

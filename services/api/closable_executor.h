// A thread pool that can be ended while those who use it live on: what comes later is dropped. For an orderly end of
// the process.
//
// Thread safety: all methods from any thread; Close on one.
#ifndef KEYFERRY_SERVICES_API_CLOSABLE_EXECUTOR_H_
#define KEYFERRY_SERVICES_API_CLOSABLE_EXECUTOR_H_

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/executor.h"

namespace keyferry {

class ClosableExecutor final : public Executor {
 public:
  explicit ClosableExecutor(int thread_count) : ClosableExecutor(NewThreadPool(thread_count)) {}
  explicit ClosableExecutor(std::unique_ptr<Executor> pool) : pool_(std::move(pool)) {}

  void Run(std::function<void()> work) override {
    const absl::ReaderMutexLock lock(&mutex_);
    if (pool_ != nullptr) pool_->Run(std::move(work));
  }
  void RunAfter(absl::Duration delay, std::function<void()> work) override {
    const absl::ReaderMutexLock lock(&mutex_);
    if (pool_ != nullptr) pool_->RunAfter(delay, std::move(work));
  }

  // Finishes what Run was given before; afterwards no work of it runs.
  void Close() {
    std::unique_ptr<Executor> pool;
    {
      const absl::MutexLock lock(&mutex_);
      pool = std::move(pool_);
    }
  }

 private:
  absl::Mutex mutex_;
  std::unique_ptr<Executor> pool_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_CLOSABLE_EXECUTOR_H_

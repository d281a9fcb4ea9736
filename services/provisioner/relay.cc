#include "services/provisioner/relay.h"

#include <utility>

namespace keyferry {

void Relay::Run(std::function<void()> work) {
  const absl::MutexLock lock(&mutex_);
  queue_.push_back(std::move(work));
  if (running_) return;
  running_ = true;
  while (!queue_.empty()) {
    std::function<void()> next = std::move(queue_.front());
    queue_.pop_front();
    mutex_.Unlock();
    next();
    next = nullptr;
    mutex_.Lock();
  }
  running_ = false;
}

}  // namespace keyferry

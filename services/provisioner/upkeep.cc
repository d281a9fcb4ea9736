#include "services/provisioner/upkeep.h"

#include <utility>

namespace keyferry {

Upkeep::Upkeep(std::function<absl::Duration()> step) : step_(std::move(step)), thread_([this] { Run(); }) {}

Upkeep::~Upkeep() {
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }
  thread_.join();
}

void Upkeep::Nudge() {
  absl::MutexLock lock(&mutex_);
  nudged_ = true;
}

void Upkeep::Run() {
  while (true) {
    const absl::Duration pause = step_();
    absl::MutexLock lock(&mutex_);
    const auto is_due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return nudged_ || ended_; };
    mutex_.AwaitWithTimeout(absl::Condition(&is_due), pause);
    if (ended_) return;
    nudged_ = false;
  }
}

}  // namespace keyferry

#include "libs/storage/kept_rows_gate.h"

#include <utility>

namespace keyferry {

void KeptRowsGate::Enter(std::function<void()> begin) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_count_ > 0) {
      waiting_.push_back(std::move(begin));
      return;
    }
    ++under_way_count_;
  }
  begin();
}

void KeptRowsGate::Leave() {
  absl::MutexLock lock(&mutex_);
  --under_way_count_;
}

void KeptRowsGate::Close() {
  const auto nothing_under_way = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return under_way_count_ == 0; };
  absl::MutexLock lock(&mutex_);
  ++closed_count_;
  mutex_.Await(absl::Condition(&nothing_under_way));
}

void KeptRowsGate::Open() {
  std::vector<std::function<void()>> begin;
  {
    absl::MutexLock lock(&mutex_);
    if (--closed_count_ > 0) return;
    begin.swap(waiting_);
    under_way_count_ += static_cast<int>(begin.size());
  }
  for (const auto& commit : begin) commit();
}

}  // namespace keyferry

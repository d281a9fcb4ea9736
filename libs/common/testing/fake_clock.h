// A clock that stands still until a test moves it.
#ifndef KEYFERRY_COMMON_TESTING_FAKE_CLOCK_H_
#define KEYFERRY_COMMON_TESTING_FAKE_CLOCK_H_

#include "absl/synchronization/mutex.h"
#include "libs/common/clock.h"

namespace keyferry {

class FakeClock final : public Clock {
 public:
  absl::Time Now() const override {
    absl::MutexLock lock(&mutex_);
    return now_;
  }
  absl::Duration Monotonic() const override { return Now() - absl::UnixEpoch(); }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    now_ += by;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'700'000'000);
};

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_TESTING_FAKE_CLOCK_H_

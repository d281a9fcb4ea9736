#include "libs/rpc/admission.h"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace keyferry {
namespace {

bool HasGivenUp(const Descriptor& connection) {
  pollfd event{.fd = connection.get(), .events = POLLRDHUP, .revents = 0};
  return poll(&event, 1, 0) > 0;
}

}  // namespace

void Admission::Arrive(Descriptor connection, absl::Duration now) { waiting_.push_back({std::move(connection), now}); }

std::optional<Descriptor> Admission::Next(absl::Duration now) {
  while (!waiting_.empty() && now - waiting_.front().since > kMaxAdmissionWait) waiting_.pop_front();
  Earn(now);
  while (!waiting_.empty() && (per_second_ == 0 || turns_ >= 1)) {
    Descriptor newest = std::move(waiting_.back().connection);
    waiting_.pop_back();
    if (per_second_ > 0) {
      if (HasGivenUp(newest)) continue;
      turns_ -= 1;
    }
    return newest;
  }
  return std::nullopt;
}

absl::Duration Admission::UntilNext() const {
  if (waiting_.empty()) return absl::InfiniteDuration();
  if (per_second_ == 0 || turns_ >= 1) return absl::ZeroDuration();
  return absl::Seconds(1 - turns_) / per_second_;
}

void Admission::Earn(absl::Duration now) {
  const double passed = absl::ToDoubleSeconds(now - std::exchange(earned_, now));
  turns_ = std::min<double>(kAdmissionBurst, turns_ + passed * per_second_);
}

}  // namespace keyferry

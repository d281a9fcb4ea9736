#include "services/provisioner/sealing_key_change.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "libs/common/backoff.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"

namespace keyferry {

void SealingKeyChange::SetOwned(std::optional<std::string> sealing_key_id) {
  absl::MutexLock lock(&mutex_);
  known_ = std::move(sealing_key_id);
}

std::optional<std::string> SealingKeyChange::known_to_api() const {
  absl::MutexLock lock(&mutex_);
  return known_;
}

absl::Duration SealingKeyChange::Step() {
  const auto keys = options_.keys.Get();
  const std::optional<std::string> known = known_to_api();
  if (!known || *known == keys->current().id()) return absl::InfiniteDuration();
  FAILPOINT("region.sealing_key.before_change");
  const absl::Status status = options_.change(*keys);
  FAILPOINT("region.sealing_key.changed");
  const std::string id = absl::BytesToHexString(keys->current().id());
  if (!status.ok()) {
    Log(Severity::kWarning, "sealing_key_change_failed", {{"sealing_key_id", id}, {"error", status}});
    return std::max(kMinSealingKeyRetry, BackoffDelay(failures_++, kMinSealingKeyRetry, kMaxSealingKeyRetry,
                                                      absl::Uniform(random_, 0.0, 1.0)));
  }
  failures_ = 0;
  Log(Severity::kInfo, "sealing_key_changed", {{"sealing_key_id", id}});
  absl::MutexLock lock(&mutex_);
  if (known_) known_ = keys->current().id();
  return absl::ZeroDuration();
}

}  // namespace keyferry

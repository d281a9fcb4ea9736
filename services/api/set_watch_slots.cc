#include "services/api/set_watch_slots.h"

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"

namespace keyferry {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(10);

}  // namespace

absl::StatusOr<SetWatchSlots::Slot> SetWatchSlots::Take(const std::string& organization) {
  const absl::MutexLock lock(&mutex_);
  size_t& taken = taken_[organization];
  if (taken == kMaxWatchesPerOrganization) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat("organization \"", organization, "\" has ", kMaxWatchesPerOrganization,
                                  " watches here, the most there may be; end one, or try again later"),
                     {.reason = "TOO_MANY_WATCHES",
                      .metadata = {{"limit", absl::StrCat(kMaxWatchesPerOrganization)}},
                      .retry_after = kRetryAfter});
  }
  ++taken;
  return Slot(nullptr, [this, organization](std::nullptr_t) { Release(organization); });
}

void SetWatchSlots::Release(const std::string& organization) {
  const absl::MutexLock lock(&mutex_);
  const auto taken = taken_.find(organization);
  if (--taken->second == 0) taken_.erase(taken);
}

}  // namespace keyferry

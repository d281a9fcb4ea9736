// CallSlots: how many calls of one kind, which last, an organization has in this process, and one caller of it. Each
// costs memory and work with every change, so that no caller may take its organization's all.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_CALL_SLOTS_H_
#define KEYFERRY_SERVICES_API_CALL_SLOTS_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/limits.h"

namespace keyferry {

struct CallSlotLimits {
  size_t per_organization = 0;
  size_t per_caller = 0;
  // Of ResourceExhausted: `TOO_MANY_WATCHES`; and what there is too much of: `watches`.
  std::string_view reason;
  std::string_view noun;
};

inline constexpr size_t kMaxWaitsPerOrganization = 1024;
inline constexpr CallSlotLimits kWatchSlots = {.per_organization = kMaxWatchesPerOrganization,
                                               .per_caller = kMaxWatchesPerOrganization / 2,
                                               .reason = "TOO_MANY_WATCHES",
                                               .noun = "watches"};
inline constexpr CallSlotLimits kWaitSlots = {.per_organization = kMaxWaitsPerOrganization,
                                              .per_caller = kMaxWaitsPerOrganization / 2,
                                              .reason = "TOO_MANY_WAITS",
                                              .noun = "waits"};

class CallSlots {
 public:
  // Free again when its last owner lets go. The slots outlive it.
  using Slot = std::shared_ptr<void>;

  explicit CallSlots(const CallSlotLimits& limits) : limits_(limits) {}

  // ResourceExhausted with the limits' reason and a time to retry after.
  absl::StatusOr<Slot> Take(const std::string& organization, const std::string& principal);

 private:
  using Caller = std::pair<std::string, std::string>;

  void Release(const Caller& caller);

  const CallSlotLimits limits_;
  absl::Mutex mutex_;
  // None is 0.
  std::map<std::string, size_t> of_organization_ ABSL_GUARDED_BY(mutex_);
  std::map<Caller, size_t> of_caller_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_CALL_SLOTS_H_

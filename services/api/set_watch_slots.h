// SetWatchSlots: how many watches an organization has in this process, at most kMaxWatchesPerOrganization. Each costs
// memory and a comparison of all sets with every change, so that nobody may take them all.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_SET_WATCH_SLOTS_H_
#define KEYFERRY_SERVICES_API_SET_WATCH_SLOTS_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace keyferry {

class SetWatchSlots {
 public:
  // Free again when its last owner lets go. The slots outlive it.
  using Slot = std::shared_ptr<void>;

  // ResourceExhausted TOO_MANY_WATCHES, with a time to retry after.
  absl::StatusOr<Slot> Take(const std::string& organization);

 private:
  void Release(const std::string& organization);

  absl::Mutex mutex_;
  // None is 0.
  std::map<std::string, size_t> taken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_WATCH_SLOTS_H_

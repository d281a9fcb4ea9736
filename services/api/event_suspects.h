// Objects that were in flight when a session died: they are sent alone, one after the other, so that a further death tells which one it was.
//
// Thread safety: confined to the region's strand.
#ifndef KEYFERRY_SERVICES_API_EVENT_SUSPECTS_H_
#define KEYFERRY_SERVICES_API_EVENT_SUSPECTS_H_

#include <algorithm>
#include <map>
#include <utility>

#include "absl/time/time.h"
#include "libs/model/placement.h"

namespace keyferry {

// They yield to everything else for so long.
inline constexpr absl::Duration kMaxSuspectWait = absl::Seconds(5);

class EventSuspects {
 public:
  bool empty() const { return objects_.empty(); }
  void Add(const ObjectId& object, bool resync, absl::Duration now) {
    if (empty()) waiting_since_ = now;
    objects_[object] |= resync;
  }
  // REQUIRES: not empty. And whether a full resync waits for it.
  std::pair<ObjectId, bool> Take() {
    auto first = objects_.extract(objects_.begin());
    return {std::move(first.key()), first.mapped()};
  }
  void WaitAnew(absl::Duration now) { waiting_since_ = now; }
  bool WaitedLongEnough(absl::Duration now) const { return !empty() && now - waiting_since_ >= kMaxSuspectWait; }
  bool OweToResync() const {
    return std::any_of(objects_.begin(), objects_.end(), [](const auto& object) { return object.second; });
  }

 private:
  std::map<ObjectId, bool> objects_;
  absl::Duration waiting_since_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_EVENT_SUSPECTS_H_

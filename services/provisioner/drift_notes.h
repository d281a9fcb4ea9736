// Objects that the region could not show or lost, until the API is told. What is beyond the limit is found again by the next round over the sinks.
//
// Thread safety: confined to one thread (or relay).
#ifndef KEYFERRY_SERVICES_PROVISIONER_DRIFT_NOTES_H_
#define KEYFERRY_SERVICES_PROVISIONER_DRIFT_NOTES_H_

#include <set>
#include <vector>

#include "libs/model/placement.h"

namespace keyferry {

inline constexpr size_t kMaxDriftedObjects = 10'000;
inline constexpr size_t kMaxDriftObjectsPerMessage = 1000;

class DriftNotes {
 public:
  // At most kMaxDriftedObjects are kept.
  void Note(const std::vector<ObjectId>& lost) {
    for (const ObjectId& id : lost) {
      if (objects_.size() == kMaxDriftedObjects) return;
      objects_.insert(id);
    }
  }
  bool empty() const { return objects_.empty(); }
  size_t size() const { return objects_.size(); }

  // Some of them, as many as a message may tell, which are forgotten.
  std::vector<ObjectId> TakeSome() {
    std::vector<ObjectId> some;
    while (!objects_.empty() && some.size() < kMaxDriftObjectsPerMessage)
      some.push_back(objects_.extract(objects_.begin()).value());
    return some;
  }

 private:
  std::set<ObjectId> objects_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_DRIFT_NOTES_H_

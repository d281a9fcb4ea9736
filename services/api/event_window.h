// What is in flight on one stream: at most one revision of an object, within the provisioner's credit of objects and bytes.
//
// Thread safety: confined to the session's strand.
#ifndef KEYFERRY_SERVICES_API_EVENT_WINDOW_H_
#define KEYFERRY_SERVICES_API_EVENT_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "libs/model/placement.h"

namespace keyferry {

inline constexpr absl::Duration kStallTimeout = absl::Seconds(60);
inline constexpr int kMaxStalls = 3;

class EventWindow {
 public:
  struct Flight {
    uint64_t revision = 0;
    size_t bytes = 0;
    // Owed to a full resync.
    bool resync = false;
    // Monotonic; of the last sign of life.
    absl::Duration heard;
    int stalls = 0;
    // Its ack came and is not settled yet: the provisioner survived it.
    bool answered = false;
  };

  EventWindow(size_t max_objects, size_t max_bytes) : max_objects_(max_objects), max_bytes_(max_bytes) {}

  bool full() const { return flights_.size() >= max_objects_; }
  bool empty() const { return flights_.empty(); }
  // An object larger than the whole credit travels alone.
  bool Admits(size_t bytes) const { return empty() || (!full() && bytes_ + bytes <= max_bytes_); }
  void Add(const ObjectId& object, Flight flight);
  // nullptr: not in flight.
  const Flight* Find(const ObjectId& object) const;
  // An ack of this revision or a later one returns the credit. Answers whether it did.
  bool Release(const ObjectId& object, uint64_t revision);
  // Released without an answer, for a newer revision. That one inherits the silence: writing again and again does not
  // excuse who never answers.
  void Supersede(const ObjectId& object);
  void Heard(const ObjectId& object, absl::Duration now);
  void Answered(const ObjectId& object, uint64_t revision);
  // What may have killed the session.
  std::map<ObjectId, Flight> Suspects() const;
  bool HasResync() const;
  void OweToResync(const ObjectId& object);

  struct Stalled {
    // Silent for the first time.
    std::vector<ObjectId> redeliver;
    // Silent for the kMaxStalls-th time.
    bool hopeless = false;
  };
  Stalled TakeStalled(absl::Duration now);

  const std::map<ObjectId, Flight>& flights() const { return flights_; }

 private:
  const size_t max_objects_;
  const size_t max_bytes_;
  size_t bytes_ = 0;
  std::map<ObjectId, Flight> flights_;
  // Stalls of those superseded whose successor was not sent yet.
  std::map<ObjectId, int> inherited_stalls_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_EVENT_WINDOW_H_

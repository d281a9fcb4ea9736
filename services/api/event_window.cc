#include "services/api/event_window.h"

#include <algorithm>

namespace keyferry {

void EventWindow::Add(const ObjectId& object, Flight flight) {
  if (const auto inherited = inherited_stalls_.extract(object)) flight.stalls = inherited.mapped();
  bytes_ += flight.bytes;
  flights_.emplace(object, flight);
}

const EventWindow::Flight* EventWindow::Find(const ObjectId& object) const {
  const auto flight = flights_.find(object);
  return flight == flights_.end() ? nullptr : &flight->second;
}

bool EventWindow::Release(const ObjectId& object, uint64_t revision) {
  const auto flight = flights_.find(object);
  if (flight == flights_.end()) inherited_stalls_.erase(object);
  if (flight == flights_.end() || revision < flight->second.revision) return false;
  bytes_ -= flight->second.bytes;
  flights_.erase(flight);
  return true;
}

void EventWindow::Supersede(const ObjectId& object) {
  const auto flight = flights_.find(object);
  if (flight == flights_.end()) return;
  inherited_stalls_[object] = flight->second.stalls;
  Release(object, flight->second.revision);
}

void EventWindow::Heard(const ObjectId& object, absl::Duration now) {
  if (const auto flight = flights_.find(object); flight != flights_.end()) flight->second.heard = now;
}

void EventWindow::Answered(const ObjectId& object, uint64_t revision) {
  const auto flight = flights_.find(object);
  if (flight != flights_.end() && revision >= flight->second.revision) flight->second.answered = true;
}

std::map<ObjectId, EventWindow::Flight> EventWindow::Suspects() const {
  std::map<ObjectId, Flight> suspects = flights_;
  std::erase_if(suspects, [](const auto& flight) { return flight.second.answered; });
  return suspects;
}

bool EventWindow::HasResync() const {
  return std::any_of(flights_.begin(), flights_.end(), [](const auto& flight) { return flight.second.resync; });
}

void EventWindow::OweToResync(const ObjectId& object) {
  if (const auto flight = flights_.find(object); flight != flights_.end()) flight->second.resync = true;
}

EventWindow::Stalled EventWindow::TakeStalled(absl::Duration now) {
  Stalled stalled;
  for (auto& [object, flight] : flights_) {
    if (now - flight.heard < kStallTimeout) continue;
    flight.heard = now;
    if (++flight.stalls == 1) stalled.redeliver.push_back(object);
    if (flight.stalls >= kMaxStalls) stalled.hopeless = true;
  }
  return stalled;
}

}  // namespace keyferry

#include "libs/model/placement.h"

namespace keyferry {

Readiness ReadinessOf(const DesiredState& desired, const std::optional<Observation>& observation,
                      const std::string& target_incarnation) {
  const bool observed = observation && observation->revision == desired.revision && !target_incarnation.empty() &&
                        observation->target_incarnation == target_incarnation;
  if (!observed || desired.operation != Operation::kApply) return Readiness::kPending;
  if (observation->result == AckResult::kReady) return Readiness::kReady;
  return observation->permanent ? Readiness::kFailed : Readiness::kPending;
}

}  // namespace keyferry

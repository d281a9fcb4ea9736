#include "services/api/housekeeping.h"

#include "libs/common/log.h"
#include "services/api/requests.h"

namespace keyferry {
namespace {

const RowKey kFirst{Family::kRequests, ""};

void SweepLater(const Writer& writer, const Clock& clock, const RowKey& begin, absl::Duration delay) {
  writer.executor.RunAfter(delay, [writer, &clock, begin] {
    SweepRequests(writer, begin, clock.Now(), [writer, &clock](const absl::StatusOr<RowKey>& next) {
      if (!next.ok()) Log(Severity::kWarning, "sweep_failed", {{"error", next.status()}});
      const bool round_is_over = !next.ok() || *next == kFirst;
      SweepLater(writer, clock, round_is_over ? kFirst : *next, round_is_over ? kSweepInterval : kSweepStepInterval);
    });
  });
}

}  // namespace

void KeepSweepingRequests(const Writer& writer, const Clock& clock) {
  SweepLater(writer, clock, kFirst, kSweepInterval);
}

}  // namespace keyferry

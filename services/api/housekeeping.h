// Work that nobody calls for: rows of request ids past their lifetime go.
#ifndef KEYFERRY_SERVICES_API_HOUSEKEEPING_H_
#define KEYFERRY_SERVICES_API_HOUSEKEEPING_H_

#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "services/api/transaction.h"

namespace keyferry {

// Between two rounds through all rows, and between two steps of a round.
inline constexpr absl::Duration kSweepInterval = absl::Minutes(5);
inline constexpr absl::Duration kSweepStepInterval = absl::Milliseconds(100);

// Goes on until the writer's executor ends. All outlive that.
void KeepSweepingRequests(const Writer& writer, const Clock& clock);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_HOUSEKEEPING_H_

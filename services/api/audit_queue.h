// AuditQueue: records of what changed nothing, on their way into the store. Bounded in number and rate, each chain for
// itself, so that a flood of one chain's refusals neither fills the disk nor takes another's room; what does not fit is
// counted, and a record in its chain tells of it.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_AUDIT_QUEUE_H_
#define KEYFERRY_SERVICES_API_AUDIT_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "libs/storage/trust_rows.h"

namespace keyferry {

// Refusals of a chain.
inline constexpr int kMaxAuditDenialsPerSecond = 10;
inline constexpr int kMaxAuditDenialBurst = 100;
// Of the room, one chain's refusals take so much.
inline constexpr size_t kAuditQueueShares = 4;
// Between two records of how many were dropped in a chain.
inline constexpr absl::Duration kAuditDropInterval = absl::Seconds(10);

class AuditQueue {
 public:
  // The clock outlives it. `limit`: at least kAuditQueueShares.
  AuditQueue(size_t limit, const Clock& clock) : limit_(limit), clock_(clock) {}

  // False: there was no room, or its chain had too many. What is no refusal needs only room.
  bool Add(AuditRow row);
  bool IsEmpty() const;
  enum class Tell : uint8_t { kDue, kAll };
  // All that waits, in order; behind it a row of method `AuditTrail/Drop` for each chain that lost some since it was
  // told of, when that is due.
  std::vector<AuditRow> Take(Tell tell = Tell::kDue);
  int64_t dropped_count() const;

 private:
  struct Chain {
    double tokens = kMaxAuditDenialBurst;
    absl::Duration filled;
    size_t waiting_count = 0;
    int64_t untold_count = 0;
    absl::Duration told = -absl::InfiniteDuration();
  };
  bool Admits(const AuditRow& row, Chain& chain, absl::Duration now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t limit_;
  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::vector<AuditRow> rows_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Chain> chains_ ABSL_GUARDED_BY(mutex_);
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_AUDIT_QUEUE_H_

// The audit trail: one chain of records an organization, and one for what belongs to none. A record is written under a
// key of its own, in the commit of what it tells; a chaining job of one thread gives it its number and hash, in order
// of revision, within a second, and signs the chains' heads.
//
// Invariants:
//   A1  A change that a call asked for and its record are one commit.
//   A2  A record holds the fields of AuditRow and no others; texts of errors and contents of requests never.
//   A3  Numbers of a chain have no gap; each hash covers the record and the hash before it.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_AUDIT_TRAIL_H_
#define KEYFERRY_SERVICES_API_AUDIT_TRAIL_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/storage/codec.h"
#include "services/api/call_scope.h"
#include "services/api/transaction.h"

namespace keyferry {

// Refusals that wait to be written.
inline constexpr size_t kMaxAuditWaiting = 1024;
// How long records may wait for the second sink before calls that change something are refused.
inline constexpr absl::Duration kMaxAuditSinkLag = absl::Minutes(5);

// The record of a change that `call` asked for.
AuditRow AuditRowOf(const AuditedCall& call, const AuditedObject& object, absl::Time now);
// Puts a record into the transaction's commit. For changes without a call: deliveries, background jobs. Its number,
// hashes and, unless it is a refusal, revision are given to it when it is chained. What is no organization's name goes
// to the system's chain.
void AddAuditRecord(Transaction& transaction, AuditRow row);

class AuditFiles;
class SigningKey;

class AuditTrail {
 public:
  virtual ~AuditTrail() = default;

  // A call that was refused: by the guard, or by a use case (permission, quota, precondition). Written in groups,
  // within 100 ms. Of a chain that has too many (audit_queue.h), or when more than kMaxAuditWaiting wait, the rest is
  // counted, and a record in its chain tells of how many.
  virtual void Denied(const Caller& caller, std::string_view method, const absl::Status& status) = 0;
  // Unavailable AUDIT_SINK_STALLED when records of this organization's chain have waited to be chained, or for the
  // second sink, longer than kMaxAuditSinkLag. Asked before each commit of a call.
  virtual absl::Status CheckAdmits(const std::string& organization) const {
    (void)organization;
    return absl::OkStatus();
  }
};

struct AuditTrailHealth {
  // Since the process started.
  int64_t chained_count = 0;
  int64_t dropped_count = 0;
  // How long records of any chain have waited to be chained, or for the second sink; zero: none does.
  absl::Duration sink_lag;
};

// The trail that writes to the store, on threads of its own.
class StoredAuditTrail : public AuditTrail {
 public:
  virtual AuditTrailHealth Health() const = 0;
};

struct AuditTrailParts {
  Writer writer;
  const Clock& clock;
  // Null: chains are not signed.
  std::shared_ptr<const SigningKey> key;
  // The second sink; null: there is none.
  std::unique_ptr<AuditFiles> files;
};
// All outlive it. When it is destroyed, what was committed is chained, signed and handed to the second sink.
std::unique_ptr<StoredAuditTrail> NewAuditTrail(AuditTrailParts parts);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_AUDIT_TRAIL_H_

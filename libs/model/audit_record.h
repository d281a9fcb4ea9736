// What the audit trail remembers of one change, refusal or delivery: an allow-list of fields, never a value.
// docs/audit.md says what each holds.
#ifndef KEYFERRY_MODEL_AUDIT_RECORD_H_
#define KEYFERRY_MODEL_AUDIT_RECORD_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace keyferry {

// Numbers of keyferry.v1.AuditDecision; on disk and in hashes: do not renumber.
enum class AuditDecision : uint8_t { kDone = 1, kDenied = 2, kDelivered = 3 };

// Fields of keyferry.v1.AuditRecord.
struct AuditRecord {
  int64_t number = 0;
  // Empty: the system's chain.
  std::string organization;
  absl::Time time;
  std::string principal;
  std::string role;
  std::string method;
  AuditDecision decision = AuditDecision::kDone;
  std::string code;
  std::string reason;
  std::string object_kind;
  std::string object_name;
  std::string region;
  int64_t generation = 0;
  std::string request_id;
  uint64_t revision = 0;
  // 32 bytes each.
  std::string previous_hash;
  std::string hash;
  friend bool operator==(const AuditRecord&, const AuditRecord&) = default;
};

// The end of a chain, signed.
struct SignedAuditHead {
  std::string organization;
  // Of the last record it covers.
  int64_t number = 0;
  std::string hash;
  absl::Time time;
  // Ed25519.
  std::string signature;
  std::string public_key;
  friend bool operator==(const SignedAuditHead&, const SignedAuditHead&) = default;
};

}  // namespace keyferry

#endif  // KEYFERRY_MODEL_AUDIT_RECORD_H_

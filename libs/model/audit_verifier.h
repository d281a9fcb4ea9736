// Proves lines of the audit trail, of any number of chains, one after another: every hash is computed from the fields,
// numbers have no gap, heads are signed and cover what is here. What was edited, dropped, moved, put in or, against a
// head kept elsewhere, cut off is found, and the first bad record named. Needs no server.
//
// Thread safety: confined to one thread.
#ifndef KEYFERRY_MODEL_AUDIT_VERIFIER_H_
#define KEYFERRY_MODEL_AUDIT_VERIFIER_H_

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "libs/model/audit_lines.h"

namespace keyferry {

// A head that comes more records after the one it covers is refused.
inline constexpr size_t kMaxAuditHashesKept = 100'000;

struct AuditChainSummary {
  std::string organization;
  int64_t first_number = 0;
  int64_t last_number = 0;
  // Of the last one that a signed head covers; 0: none does.
  int64_t signed_number = 0;
};

class AuditVerifier {
 public:
  struct Options {
    // Who may have signed heads. Empty: whoever a head names; then the signatures prove only that heads are whole.
    std::vector<std::string> public_keys;
    // A chain may begin where a start line says, and not with record 1.
    bool accept_starts = false;
    // With keys given, records behind the last signed head are accepted: a chain that still grows ends so, and so does
    // one whose end was rewritten.
    bool accept_unsigned_tail = false;
  };

  explicit AuditVerifier(Options options) : options_(std::move(options)) {}

  // Before any line: a head that was kept elsewhere. The records it covers must be here.
  absl::Status Expect(const SignedAuditHead& head);
  // DataLoss AUDIT_TRAIL_BROKEN with the organization, the record's number and what is wrong; nothing after it counts.
  absl::Status Add(std::string_view line);
  // DataLoss also when expected records are missing, or when keys were given and no head covers a chain, or its last
  // records.
  // InvalidArgument when no record came.
  absl::Status Finish() const;

  // Those of which records came.
  std::vector<AuditChainSummary> Chains() const;
  const std::set<std::string>& signers() const { return signers_; }

 private:
  struct Chain {
    int64_t first_number = 0;
    int64_t last_number = 0;
    int64_t signed_number = 0;
    // Of the last records, up to last_number; the first may be a start's. Empty: not begun.
    std::deque<std::string> hashes;
    // By number.
    std::map<int64_t, SignedAuditHead> expected;
  };

  absl::Status Take(const AuditRecord& record);
  absl::Status Take(const SignedAuditHead& head);
  absl::Status Take(const AuditStart& start);
  absl::Status CheckSignature(const SignedAuditHead& head);
  absl::Status CheckSigned(const std::string& organization, const Chain& chain) const;

  const Options options_;
  std::map<std::string, Chain> chains_;
  std::set<std::string> signers_;
};

}  // namespace keyferry

#endif  // KEYFERRY_MODEL_AUDIT_VERIFIER_H_

// The audit trail as text: one JSON document a line, as the second sink and exports hold it. Three kinds: a record, a
// signed head, and a start, which says with what a file goes on that does not begin with a chain's first record.
// docs/audit.md has the form.
//
// Thread safety: free functions.
#ifndef KEYFERRY_MODEL_AUDIT_LINES_H_
#define KEYFERRY_MODEL_AUDIT_LINES_H_

#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "libs/model/audit_record.h"

namespace keyferry {

// The record before those that follow. Number 0: none.
struct AuditStart {
  std::string organization;
  int64_t number = 0;
  std::string hash;
  friend bool operator==(const AuditStart&, const AuditStart&) = default;
};

using AuditLine = std::variant<AuditRecord, SignedAuditHead, AuditStart>;

// done, denied, delivered.
std::string_view WordOf(AuditDecision decision);

// Without the newline.
std::string ToLine(const AuditRecord& record);
std::string ToLine(const SignedAuditHead& head);
std::string ToLine(const AuditStart& start);

// InvalidArgument unless it is, byte for byte, what ToLine makes of a value: so nothing is in a line that its value,
// and with it the hash, does not cover. Never shows the line.
absl::StatusOr<AuditLine> ParseAuditLine(std::string_view line);

}  // namespace keyferry

#endif  // KEYFERRY_MODEL_AUDIT_LINES_H_

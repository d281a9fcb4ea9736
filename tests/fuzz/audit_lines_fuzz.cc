// An audit export from anywhere: a line is what its value prints or is refused without being shown; the verifier says
// yes or no to any lines.
#include <string>
#include <variant>

#include "absl/strings/str_split.h"
#include "libs/model/audit_lines.h"
#include "libs/model/audit_verifier.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

void CheckLine(std::string_view line) {
  const auto parsed = ParseAuditLine(line);
  if (!parsed.ok()) return RequireSilent(parsed.status());
  const std::string printed = std::visit([](const auto& value) { return ToLine(value); }, *parsed);
  Require(printed == line, "a line is, byte for byte, what its value prints");
}

void CheckLines(std::string_view text) {
  AuditVerifier strict({}), lax({.accept_starts = true, .accept_unsigned_tail = true});
  bool strict_ok = true, lax_ok = true;
  for (const absl::string_view each : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    const std::string_view line(each.data(), each.size());
    CheckLine(line);
    strict_ok = strict_ok && strict.Add(line).ok();
    lax_ok = lax_ok && lax.Add(line).ok();
    Require(!strict_ok || lax_ok, "what is good enough for the strict is good enough for the lax");
  }
  Require(!strict_ok || !strict.Finish().ok() || lax.Finish().ok(), "so is the end");
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = keyferry::TextOf(data, size);
  keyferry::CheckLines(text);
  keyferry::CheckLine(keyferry::WithSentinel(text));
  return 0;
}

#include "tests/fuzz/fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "libs/common/error.h"

namespace keyferry {
namespace {

bool HasSentinel(std::string_view text) { return text.find(kSentinel) != std::string_view::npos; }

bool HasSentinel(const ErrorDetails& details) {
  for (const auto& [name, value] : details.metadata) {
    if (HasSentinel(name) || HasSentinel(value)) return true;
  }
  for (const FieldViolation& violation : details.violations) {
    if (HasSentinel(violation.field) || HasSentinel(violation.description)) return true;
  }
  for (const std::string& blocker : details.blockers) {
    if (HasSentinel(blocker)) return true;
  }
  return HasSentinel(details.reason);
}

}  // namespace

std::string WithSentinel(std::string_view text) {
  // FNV-1a.
  uint64_t hash = 14695981039346656037u;
  for (const unsigned char byte : text) hash = (hash ^ byte) * 1099511628211u;
  std::string planted(text);
  planted.insert(hash % (text.size() + 1), kSentinel);
  return planted;
}

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "this does not hold: %s\n", what);
  std::abort();
}

void RequireSilent(const absl::Status& status) {
  Require(!status.ok(), "the status is an error");
  Require(!HasSentinel({status.message().data(), status.message().size()}), "the message does not hold the sentinel");
}

void RequireCleanError(const absl::Status& status) {
  RequireSilent(status);
  const std::optional<ErrorDetails> details = DetailsOf(status);
  Require(details.has_value() && !details->reason.empty(), "the error has a reason");
  Require(!HasSentinel(*details), "the details do not hold the sentinel");
}

void RequireCleanError(const absl::Status& status, std::string_view reason) {
  RequireCleanError(status);
  Require(ReasonOf(status) == reason, "the error has the reason that its parser gives");
}

}  // namespace keyferry

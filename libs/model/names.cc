#include "libs/model/names.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libs/common/limits.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

constexpr char kLabelRule[] = "lower-case letters, digits and hyphens, beginning and ending with a letter or digit";

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsKeyCharacter(char c) { return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '-'; }
bool IsPrintable(char c) { return c >= 0x20 && c <= 0x7e; }

// Shows one character at most: a value that was typed where a name belongs must not come back in an error.
std::string Found(std::string_view text, size_t position) {
  const unsigned char c = static_cast<unsigned char>(text[position]);
  if (c > 0x20 && c < 0x7f) return absl::StrFormat("'%c' at position %d", c, position + 1);
  return absl::StrFormat("byte 0x%02x at position %d", c, position + 1);
}

std::optional<FieldViolation> Violation(std::string_view field, std::string_view rule, std::string_view found) {
  return FieldViolation{std::string(field), absl::StrCat("must be ", absl::string_view(rule.data(), rule.size()),
                                                         "; found ", absl::string_view(found.data(), found.size()))};
}

std::optional<FieldViolation> CheckLength(std::string_view field, std::string_view text, size_t min, size_t max) {
  if (text.size() >= min && text.size() <= max) return std::nullopt;
  return Violation(field, absl::StrCat(min, " to ", max, " characters"), absl::StrCat(text.size()));
}

std::optional<FieldViolation> CheckCharacters(std::string_view field, std::string_view text, bool (*allowed)(char),
                                              std::string_view rule) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (!allowed(text[i])) return Violation(field, rule, Found(text, i));
  }
  return std::nullopt;
}

// One label, or with `dots` several, each with a letter or digit at both of its ends.
std::optional<FieldViolation> CheckLabels(std::string_view field, std::string_view text, bool dots,
                                          std::string_view rule) {
  const auto edge = [&](size_t i) {
    return i == 0 || i + 1 == text.size() || text[i - 1] == '.' || text[i + 1] == '.';
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const bool joint = dots && text[i] == '.' && !edge(i);
    const bool inner = text[i] == '-' && !edge(i);
    if (!joint && !inner && !IsLowerOrDigit(text[i])) return Violation(field, rule, Found(text, i));
  }
  return std::nullopt;
}

std::optional<FieldViolation> CheckLabel(std::string_view field, std::string_view text, size_t max) {
  if (auto violation = CheckLength(field, text, 1, max)) return violation;
  return CheckLabels(field, text, /*dots=*/false, kLabelRule);
}

}  // namespace

std::optional<FieldViolation> CheckSecretSetName(std::string_view field, std::string_view name) {
  if (auto violation = CheckLength(field, name, kMinSetNameLength, kMaxSetNameLength)) return violation;
  return CheckLabels(field, name, /*dots=*/true, absl::StrCat("labels joined by single dots, each of ", kLabelRule));
}

std::optional<FieldViolation> CheckSecretKey(std::string_view field, std::string_view key) {
  if (auto violation = CheckLength(field, key, 1, kMaxKeyLength)) return violation;
  return CheckCharacters(field, key, IsKeyCharacter, "letters, digits, underscores and hyphens ([A-Za-z0-9_-])");
}

std::optional<FieldViolation> CheckAgentName(std::string_view field, std::string_view name) {
  return CheckLabel(field, name, kMaxAgentNameLength);
}

std::optional<FieldViolation> CheckRegionCode(std::string_view field, std::string_view code) {
  return CheckLabel(field, code, kMaxDnsLabelLength);
}

std::optional<FieldViolation> CheckOrganizationName(std::string_view field, std::string_view name) {
  return CheckLabel(field, name, kMaxDnsLabelLength);
}

std::optional<FieldViolation> CheckRequestId(std::string_view field, std::string_view request_id) {
  if (auto violation = CheckLength(field, request_id, 1, kMaxRequestIdLength)) return violation;
  return CheckCharacters(field, request_id, IsPrintable, "printable ASCII characters");
}

std::string NewUid() { return absl::BytesToHexString(RandomBytes(16)); }

}  // namespace keyferry

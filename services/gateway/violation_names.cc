#include "services/gateway/violation_names.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"

namespace keyferry::gateway {
namespace {

constexpr std::string_view kIndex = "[i]";
constexpr std::string_view kCut = "...";

bool IsPathCharacter(char c) { return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '[' || c == ']'; }

// Length of `[12]` at the start of text; 0 when there is none.
size_t IndexLength(std::string_view text) {
  if (!text.starts_with('[')) return 0;
  const size_t end = text.find_first_not_of("0123456789", 1);
  return end == std::string_view::npos || end == 1 || text[end] != ']' ? 0 : end + 1;
}

// The field as the row names it; nullopt when the row does not fit.
std::optional<std::string> Renamed(std::string_view field, const FieldName& name) {
  std::vector<std::string_view> indices;
  std::string_view rest = field;
  for (std::string_view from = name.from; !from.empty();) {
    if (from.starts_with(kIndex)) {
      const size_t length = IndexLength(rest);
      if (length == 0) return std::nullopt;
      indices.push_back(rest.substr(0, length));
      from.remove_prefix(kIndex.size());
      rest.remove_prefix(length);
    } else {
      if (rest.empty() || rest.front() != from.front()) return std::nullopt;
      from.remove_prefix(1);
      rest.remove_prefix(1);
    }
  }
  if (!rest.empty() && rest.front() != '.' && rest.front() != '[') return std::nullopt;
  std::string to(name.to);
  for (const std::string_view index : indices) {
    if (const size_t at = to.find(kIndex); at != std::string::npos) to.replace(at, kIndex.size(), index);
  }
  if (to.empty() && rest.starts_with('.')) rest.remove_prefix(1);
  return to.append(rest);
}

std::string NameOf(std::string_view field, std::span<const FieldName> names) {
  for (const FieldName& name : names) {
    if (auto renamed = Renamed(field, name)) return *std::move(renamed);
  }
  return std::string(field);
}

// Renames the paths that have an index; a plain word may just be a word.
std::string RenameInText(std::string_view text, std::span<const FieldName> names) {
  std::string renamed;
  while (!text.empty()) {
    size_t end = 0;
    while (end < text.size() && IsPathCharacter(text[end])) ++end;
    const std::string_view word = text.substr(0, end);
    const bool is_path = word.find('[') != std::string_view::npos;
    renamed.append(is_path ? NameOf(word, names) : word);
    text.remove_prefix(end);
    if (text.empty()) break;
    renamed.push_back(text.front());
    text.remove_prefix(1);
  }
  return renamed;
}

// Whether the message is the list of these violations, maybe cut short on its way (status_conversion).
bool IsListOf(std::string_view message, const absl::Status& list) {
  const std::string_view whole(list.message().data(), list.message().size());
  if (message == whole) return true;
  return message.ends_with(kCut) && message.size() > kCut.size() &&
         whole.starts_with(message.substr(0, message.size() - kCut.size()));
}

}  // namespace

absl::Status RenameFields(const absl::Status& status, std::span<const FieldName> names) {
  std::optional<ErrorDetails> details = DetailsOf(status);
  if (!details || details->violations.empty()) return status;
  const std::string_view message(status.message().data(), status.message().size());
  const bool lists = IsListOf(message, InvalidFields(details->reason, details->violations));
  for (FieldViolation& violation : details->violations) {
    violation.field = NameOf(violation.field, names);
    violation.description = RenameInText(violation.description, names);
  }
  const absl::Status list = InvalidFields(details->reason, details->violations);
  const std::string renamed = lists ? std::string(list.message()) : RenameInText(message, names);
  return MakeError(status.code(), renamed, *std::move(details));
}

}  // namespace keyferry::gateway

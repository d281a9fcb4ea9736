#include "services/gateway/exchange.h"

#include "absl/strings/match.h"

namespace keyferry::gateway {

std::optional<std::string_view> Request::FindHeader(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const Header& header : headers) {
    if (!absl::EqualsIgnoreCase(header.name, {name.data(), name.size()})) continue;
    if (found) return std::nullopt;
    found = header.value;
  }
  return found;
}

const std::string& Request::Parameter(const std::string& name) const {
  static const std::string kNone;
  const auto found = parameters.find(name);
  return found == parameters.end() ? kNone : found->second;
}

}  // namespace keyferry::gateway

#include "services/api/call_metadata.h"

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

constexpr char kAuthorization[] = "authorization";
constexpr char kBinaryAuthorization[] = "authorization-bin";
constexpr absl::string_view kScheme = "bearer ";
constexpr size_t kIncidentBytes = 8;
constexpr size_t kIncidentsDrawn = 64;

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

absl::Status Rejected(absl::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, std::string_view(message.data(), message.size()),
                   {.reason = "UNAUTHENTICATED"});
}

}  // namespace

// Each draw is a system call, which many ids share.
std::string NewIncidentId() {
  thread_local std::array<char, kIncidentBytes * kIncidentsDrawn> drawn;
  thread_local size_t used = drawn.size();
  if (used == drawn.size()) {
    std::ranges::copy(RandomBytes(drawn.size()), drawn.begin());
    used = 0;
  }
  used += kIncidentBytes;
  return absl::BytesToHexString({drawn.data() + used - kIncidentBytes, kIncidentBytes});
}

std::string RequestIdOf(const ClientMetadata& metadata) {
  const auto [first, last] = metadata.equal_range(kRequestIdMetadata);
  if (first != last && std::next(first) == last) {
    const std::string_view id(first->second.data(), first->second.size());
    if (!id.empty() && id.size() <= kMaxRequestIdLength && IsPrintable(id)) return std::string(id);
  }
  return NewIncidentId();
}

absl::StatusOr<std::string_view> TokenOfAuthorization(std::string_view value) {
  if (!absl::StartsWithIgnoreCase({value.data(), value.size()}, kScheme))
    return Rejected("authorization must be `Bearer <API key>`");
  return value.substr(kScheme.size());
}

absl::StatusOr<std::optional<std::string_view>> BearerTokenOf(const ClientMetadata& metadata) {
  if (metadata.count(kBinaryAuthorization) > 0) return Rejected("send authorization as text, not authorization-bin");
  const auto [first, last] = metadata.equal_range(kAuthorization);
  if (first == last) return std::optional<std::string_view>();
  if (std::next(first) != last) return Rejected("send exactly one authorization value");
  ASSIGN_OR_RETURN(const std::string_view token, TokenOfAuthorization({first->second.data(), first->second.size()}));
  return std::optional<std::string_view>(token);
}

}  // namespace keyferry

#include "libs/rpc/spiffe_id.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_split.h"
#include "libs/common/limits.h"

namespace keyferry {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr std::string_view kRoles[] = {"admin", "member", "deployer", "viewer"};

// std::isalnum follows the locale.
bool IsLabelCharacter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

bool IsLabel(std::string_view text) {
  return !text.empty() && text.size() <= kMaxDnsLabelLength && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), IsLabelCharacter);
}

absl::Status Rejected(absl::string_view why) { return absl::UnauthenticatedError(why); }

bool IsRole(std::string_view text) { return std::find(std::begin(kRoles), std::end(kRoles), text) != std::end(kRoles); }

}  // namespace

absl::Status CheckTrustDomain(std::string_view trust_domain) {
  const std::vector<std::string> labels =
      absl::StrSplit(absl::string_view(trust_domain.data(), trust_domain.size()), '.');
  if (trust_domain.size() <= kMaxHostLength && std::all_of(labels.begin(), labels.end(), IsLabel))
    return absl::OkStatus();
  return absl::InvalidArgumentError("the trust domain must be lower-case DNS labels joined by dots");
}

absl::StatusOr<SpiffeId> ParseSpiffeId(std::string_view text, std::string_view trust_domain) {
  if (text.size() > kMaxSpiffeIdBytes) return Rejected("the certificate's SPIFFE id is too long");
  if (!text.starts_with(kScheme)) return Rejected("the certificate's identity is no SPIFFE id");
  const std::string_view rest = text.substr(kScheme.size());
  const std::vector<std::string> parts = absl::StrSplit(absl::string_view(rest.data(), rest.size()), '/');
  if (parts[0] != trust_domain) return Rejected("the certificate's SPIFFE id is of another trust domain");
  if (!std::all_of(parts.begin() + 1, parts.end(), IsLabel)) {
    return Rejected("the certificate's SPIFFE id has a path segment that is no lower-case DNS label");
  }
  SpiffeId id{.text = std::string(text), .id = parts.back()};
  if (parts.size() == 3 && parts[1] == "operator") {
    id.kind = SpiffeKind::kOperator;
  } else if (parts.size() == 5 && parts[1] == "region" && parts[3] == "provisioner") {
    id.kind = SpiffeKind::kProvisioner;
    id.region = parts[2];
  } else if (parts.size() == 7 && parts[1] == "organization" && parts[3] == "role" && IsRole(parts[4]) &&
             parts[5] == "service") {
    id.kind = SpiffeKind::kService;
    id.organization = parts[2];
    id.role = parts[4];
  } else {
    return Rejected("the certificate's SPIFFE id is of no kind known here");
  }
  return id;
}

}  // namespace keyferry

// Who a caller says it is: SPIFFE ids, API keys and enrollment tokens, addresses, and a call's metadata, which is read
// from lines of `name=value` behind a line with the peer. What is taken has exactly one spelling; nothing is repeated
// in an error.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/common/limits.h"
#include "libs/rpc/spiffe_id.h"
#include "services/api/api_keys.h"
#include "services/api/call_metadata.h"
#include "services/api/client_address.h"
#include "services/api/enrollment_tokens.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

constexpr char kDomain[] = "keyferry.test";

std::string Spell(const SpiffeId& id) {
  const std::string start = absl::StrCat("spiffe://", kDomain, "/");
  switch (id.kind) {
    case SpiffeKind::kProvisioner:
      return absl::StrCat(start, "region/", id.region, "/provisioner/", id.id);
    case SpiffeKind::kOperator:
      return absl::StrCat(start, "operator/", id.id);
    case SpiffeKind::kService:
      return absl::StrCat(start, "organization/", id.organization, "/role/", id.role, "/service/", id.id);
  }
  return "";
}

void CheckSpiffeId(std::string_view text) {
  const auto id = ParseSpiffeId(text, kDomain);
  if (!id.ok()) return RequireSilent(id.status());
  Require(id->text == text && Spell(*id) == text && text.size() <= kMaxSpiffeIdBytes, "an id has one spelling");
}

void CheckToken(std::string_view text, std::string_view prefix) {
  static const bool made_keys_parse = ParseApiKey(GenerateApiKey(prefix).Access(), prefix).has_value();
  Require(made_keys_parse, "a key that is made here parses");
  const auto parsed = ParseApiKey(text, prefix);
  if (!parsed) return;
  Require(IsApiKeyId(parsed->id), "the id of a key is an id");
  Require(
      text.starts_with(absl::StrCat(std::string(prefix), std::string(parsed->id), "_", std::string(parsed->secret))),
      "a key is prefix, id and secret");
}

void CheckAuthorization(std::string_view text) {
  const auto token = TokenOfAuthorization(text);
  if (!token.ok()) return RequireSilent(token.status());
  Require(text.ends_with(*token), "the token is the rest of the value");
}

const ClientAddresses& Addresses() {
  static const auto* const addresses = ClientAddresses::Create({"192.0.2.1", "2001:db8::1", "unix"})->release();
  return *addresses;
}

void RequireAddress(const std::string& address) {
  Require(address.empty() || address.find_first_not_of("0123456789abcdef.:/") == address.npos,
          "an address holds nothing but an address");
}

void CheckAddress(std::string_view text) {
  const std::string canonical = CanonicalAddress(text);
  if (!canonical.empty()) {
    const std::string address = canonical.substr(0, canonical.find('/'));
    Require(CanonicalAddress(address) == canonical, "an address in its one spelling stays as it is");
  }
  Require(ClientAddresses::Create({std::string(text)}).ok() == (!canonical.empty() || text == kUnixProxy),
          "a proxy is an address, or whoever has the socket");
  const size_t half = text.find('\n');
  const std::string_view peer = text.substr(0, half);
  const std::string_view forwarded = half == text.npos ? std::string_view() : text.substr(half + 1);
  RequireAddress(Addresses().Of(peer, {forwarded}));
}

// Its texts live as long as `lines`.
ClientMetadata MetadataOf(const std::vector<std::string_view>& lines) {
  ClientMetadata metadata;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::string_view name = lines[i].substr(0, lines[i].find('='));
    const std::string_view value = lines[i].substr(std::min(name.size() + 1, lines[i].size()));
    metadata.emplace(grpc::string_ref(name.data(), name.size()), grpc::string_ref(value.data(), value.size()));
  }
  return metadata;
}

void CheckCall(std::string_view text) {
  std::vector<std::string_view> lines;
  for (const absl::string_view line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    lines.emplace_back(line.data(), line.size());
  }
  const ClientMetadata metadata = MetadataOf(lines);
  RequireAddress(Addresses().OfCall(lines[0], metadata));
  const std::string id = RequestIdOf(metadata);
  const bool fits = !id.empty() && id.size() <= kMaxRequestIdLength;
  Require(fits && std::ranges::all_of(id, [](char c) { return c >= ' ' && c <= '~'; }),
          "a request id is short and printable");
  const auto token = BearerTokenOf(metadata);
  if (!token.ok()) return RequireCleanError(token.status(), "UNAUTHENTICATED");
  const auto [first, last] = metadata.equal_range("authorization");
  Require(token->has_value() == (first != last), "a call without authorization has no token, and only that has none");
  if (!token->has_value()) return;
  Require(std::next(first) == last && first->second.ends_with(grpc::string_ref((*token)->data(), (*token)->size())),
          "the token is the rest of the one value");
}

void Check(std::string_view text) {
  CheckSpiffeId(text);
  CheckToken(text, kApiKeyPrefix);
  CheckToken(text, kEnrollmentTokenPrefix);
  CheckAuthorization(text);
  CheckAddress(text);
  CheckCall(text);
  if (const absl::Status domain = CheckTrustDomain(text); !domain.ok()) RequireSilent(domain);
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  keyferry::Check(keyferry::TextOf(data, size));
  keyferry::Check(keyferry::WithSentinel(keyferry::TextOf(data, size)));
  return 0;
}

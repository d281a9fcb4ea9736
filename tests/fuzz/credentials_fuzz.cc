// Who a caller says it is: SPIFFE ids, API keys and enrollment tokens, authorization metadata, addresses. What is taken
// has exactly one spelling; nothing is repeated in an error.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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

void CheckAddress(std::string_view text) {
  static const auto* const addresses = ClientAddresses::Create({"192.0.2.1", "2001:db8::1", "unix"})->release();
  const std::string canonical = CanonicalAddress(text);
  if (!canonical.empty()) {
    const std::string address = canonical.substr(0, canonical.find('/'));
    Require(CanonicalAddress(address) == canonical, "an address in its one spelling stays as it is");
  }
  const size_t half = text.find('\n');
  const std::string_view peer = text.substr(0, half);
  const std::string_view forwarded = half == text.npos ? std::string_view() : text.substr(half + 1);
  const std::string of = addresses->Of(peer, {forwarded});
  Require(of.empty() || of.find_first_not_of("0123456789abcdef.:/") == of.npos,
          "an address holds nothing but an address");
}

void Check(std::string_view text) {
  CheckSpiffeId(text);
  CheckToken(text, kApiKeyPrefix);
  CheckToken(text, kEnrollmentTokenPrefix);
  CheckAuthorization(text);
  CheckAddress(text);
  if (const absl::Status domain = CheckTrustDomain(text); !domain.ok()) RequireSilent(domain);
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  keyferry::Check(keyferry::TextOf(data, size));
  keyferry::Check(keyferry::WithSentinel(keyferry::TextOf(data, size)));
  return 0;
}

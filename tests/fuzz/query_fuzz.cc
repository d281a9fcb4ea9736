// Addresses and the header Content-Type, as text: percent-decoding, the query's parts, the media type. The input is the
// query.
#include <algorithm>
#include <string>

#include "services/gateway/media_type.h"
#include "services/gateway/percent_encoding.h"
#include "services/gateway/router.h"
#include "services/gateway/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

using gateway::DecodePercent;
using gateway::PlusSign;

constexpr gateway::Route kRoutes[] = {{"GET", "/{name}", nullptr}};

std::string Encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string encoded;
  for (const unsigned char byte : text) encoded.append({'%', kDigits[byte / 16], kDigits[byte % 16]});
  return encoded;
}

void CheckPlain(std::string_view text) {
  Require(gateway::FindInvalidUtf8(text) == std::string_view::npos, "decoded text is UTF-8");
  const auto is_control = [](unsigned char byte) { return byte < 0x20 || byte == 0x7F; };
  Require(std::none_of(text.begin(), text.end(), is_control), "decoded text has no control character");
  const absl::StatusOr<std::string> again = DecodePercent(Encode(text), PlusSign::kItself);
  Require(again.ok() && *again == text, "decoded text, encoded whole, decodes to itself");
}

void CheckDecoding(std::string_view text, PlusSign plus) {
  const absl::StatusOr<std::string> decoded = DecodePercent(text, plus);
  if (!decoded.ok()) return RequireCleanError(decoded.status(), "INVALID_TARGET");
  Require(decoded->size() <= text.size(), "decoding makes nothing longer");
  CheckPlain(*decoded);
}

void CheckFind(std::string target) {
  gateway::Request request{.method = "GET", .target = std::move(target)};
  const absl::StatusOr<const gateway::Route*> route = gateway::Router(kRoutes).Find(request);
  if (!route.ok()) return RequireCleanError(route.status());
  const std::string& name = request.Parameter("name");
  Require(!name.empty() && name != "." && name != "..", "a parameter is a name");
  CheckPlain(name);
  Require(request.query.size() <= gateway::kMaxQueryParameters, "no more parameters than kMaxQueryParameters");
  for (const auto& [parameter, value] : request.query) {
    CheckPlain(parameter);
    CheckPlain(value);
  }
}

void Check(std::string_view text) {
  CheckDecoding(text, PlusSign::kItself);
  CheckDecoding(text, PlusSign::kSpace);
  CheckFind("/x?" + std::string(text));
  CheckFind("/" + std::string(text));
  Require(!gateway::IsJsonMediaType(text) || text.size() >= std::string_view("application/json").size(),
          "a media type has a name");
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = keyferry::TextOf(data, size);
  keyferry::Check(text);
  keyferry::Check(keyferry::WithSentinel(text));
  return 0;
}

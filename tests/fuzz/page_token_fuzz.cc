// Page tokens: nobody makes or changes one; one of another listing is refused.
#include <memory>
#include <string>

#include "services/api/paging.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using keyferry::Require;
  static const auto keys = [] {
    auto made = std::make_shared<keyferry::OrganizationKeys>();
    made->fingerprint = keyferry::SecretBytes::Take(std::string(32, 'f'));
    return made;
  }();
  const std::string text(keyferry::TextOf(data, size));
  const keyferry::PageTokens tokens(keys, "listing"), others(keys, "another");
  if (const auto forged = tokens.Parse(text); !text.empty())
    keyferry::RequireCleanError(forged.status(), "INVALID_PAGE_TOKEN");
  const std::string token = tokens.Make(text);
  const auto name = tokens.Parse(token);
  Require(text.empty() || (name.ok() && *name == text), "a token tells the name that it was made for");
  Require(!others.Parse(token).ok(), "a token is good for its own listing alone");
  std::string changed = token;
  changed[size % changed.size()] = static_cast<char>(changed[size % changed.size()] ^ 1);
  const auto of_changed = tokens.Parse(changed);
  Require(!of_changed.ok() || *of_changed == text, "a changed token is refused, or another spelling of the same");
  return 0;
}

// A keyring's text: what is read prints as it was read; what is refused is refused without quoting a line.
#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/keyring_text.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

void Check(std::string_view text) {
  const auto entries = ParseKeyring("keyring", text);
  if (!entries.ok()) return RequireSilent(entries.status());
  const SecretBytes printed = PrintKeyring(*entries);
  const auto again = ParseKeyring("keyring", printed.Access());
  Require(again.ok() && again->size() == entries->size(), "what was printed reads back");
  for (size_t i = 0; i < entries->size(); ++i) {
    const KeyringEntry &before = (*entries)[i], &after = (*again)[i];
    Require(before.id == after.id && before.purpose == after.purpose && before.state == after.state,
            "every key is as it was");
    Require(before.key.Access() == after.key.Access(), "every key has its bytes");
  }
}

// The same lines with a checksum that fits: what is behind it is reached too.
std::string WithChecksum(std::string_view text) {
  std::string body(text.substr(0, std::min(text.rfind("sha256 "), text.size())));
  absl::StrAppend(&body, "sha256 ", absl::BytesToHexString(Sha256(body)), "\n");
  return body;
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = keyferry::TextOf(data, size);
  keyferry::Check(text);
  keyferry::Check(keyferry::WithChecksum(text));
  keyferry::Check(keyferry::WithSentinel(text));
  keyferry::Check(keyferry::WithChecksum(keyferry::WithSentinel(text)));
  return 0;
}

// `.env` files: what is read can be written, and reads back the same.
#include <string>

#include "cli/dotenv.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

bool Equal(const std::vector<KeyValue>& left, const std::vector<KeyValue>& right) {
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    if (left[i].key != right[i].key || !left[i].value.Equals(right[i].value)) return false;
  }
  return true;
}

void Check(std::string_view text) {
  const absl::StatusOr<std::vector<KeyValue>> entries = ParseDotenv("file", text);
  if (!entries.ok()) return RequireCleanError(entries.status(), "USAGE");
  const absl::StatusOr<SecretBytes> written = ToDotenv(*entries);
  Require(written.ok(), "what was read can be written");
  const absl::StatusOr<std::vector<KeyValue>> again = ParseDotenv("file", written->Access());
  Require(again.ok() && Equal(*again, *entries), "what was written reads back the same");
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = keyferry::TextOf(data, size);
  keyferry::Check(text);
  keyferry::Check(keyferry::WithSentinel(text));
  return 0;
}

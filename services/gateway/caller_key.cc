#include "services/gateway/caller_key.h"

#include <random>
#include <string_view>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"

namespace keyferry::gateway {
namespace {

uint64_t RandomNumber() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

// Behind the scheme, which has 64 spellings.
std::string_view TokenOf(std::string_view value) {
  while (value.ends_with(' ')) value.remove_suffix(1);
  return value.substr(value.rfind(' ') + 1);
}

uint64_t Hash(std::string_view token) {
  static const std::pair<uint64_t, uint64_t> key(RandomNumber(), RandomNumber());
  return absl::HashOf(key, token);
}

}  // namespace

uint64_t CallerKey(const Request& caller) {
  // With more than one the API refuses the call.
  for (const Header& header : caller.headers)
    if (absl::EqualsIgnoreCase(header.name, "authorization")) return Hash(TokenOf(header.value));
  return Hash("");
}

}  // namespace keyferry::gateway

// Strict JSON (RFC 8259), as it comes from outside: UTF-8, nothing after the value, no member twice, at most
// kMaxJsonDepth deep and kMaxJsonValues large: a value of two bytes takes fifty in memory.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_JSON_TEXT_H_
#define KEYFERRY_SERVICES_GATEWAY_JSON_TEXT_H_

#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/status/statusor.h"

namespace keyferry::gateway {

// Arrays and objects inside each other.
inline constexpr int kMaxJsonDepth = 16;
// Elements, members and the value itself; a full set of 256 keys has about 800.
inline constexpr int kMaxJsonValues = 65'536;

// InvalidArgument INVALID_JSON; the message says what is wrong and at which line and column (from 1; a column is a
// character), and never repeats the text, nor a member's name: it may hold a secret. Metadata: `line`, `column`.
absl::StatusOr<nlohmann::json> ParseJson(std::string_view text);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_JSON_TEXT_H_

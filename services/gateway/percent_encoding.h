// Percent-decoding (RFC 3986, 2.1), strictly: after it, text is UTF-8 without control characters.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_PERCENT_ENCODING_H_
#define KEYFERRY_SERVICES_GATEWAY_PERCENT_ENCODING_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace keyferry::gateway {

enum class PlusSign { kItself, kSpace };

// InvalidArgument INVALID_TARGET: a `%` without two hexadecimal digits, bytes that are not UTF-8, a control character
// (C0, DEL, C1). The message does not repeat the text.
absl::StatusOr<std::string> DecodePercent(std::string_view text, PlusSign plus);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_PERCENT_ENCODING_H_

#include "services/gateway/percent_encoding.h"

#include "absl/strings/ascii.h"
#include "libs/common/error.h"
#include "services/gateway/utf8.h"

namespace keyferry::gateway {
namespace {

absl::Status InvalidTarget(std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message, {.reason = "INVALID_TARGET"});
}

int HexValue(char digit) { return absl::ascii_isdigit(digit) ? digit - '0' : absl::ascii_tolower(digit) - 'a' + 10; }

// Of UTF-8.
bool HasControlCharacter(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (absl::ascii_iscntrl(text[i])) return true;
    // U+0080 to U+009F, which some terminals obey.
    if (text[i] == '\xC2' && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> DecodePercent(std::string_view text, PlusSign plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == PlusSign::kSpace) {
      decoded.push_back(' ');
    } else if (text[i] != '%') {
      decoded.push_back(text[i]);
    } else {
      if (i + 2 >= text.size() || !absl::ascii_isxdigit(text[i + 1]) || !absl::ascii_isxdigit(text[i + 2])) {
        return InvalidTarget("the address has a % without two hexadecimal digits after it; write % itself as %25");
      }
      decoded.push_back(static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2])));
      i += 2;
    }
  }
  if (FindInvalidUtf8(decoded) != std::string_view::npos) return InvalidTarget("the address, decoded, is not UTF-8");
  if (HasControlCharacter(decoded)) return InvalidTarget("the address, decoded, has a control character");
  return decoded;
}

}  // namespace keyferry::gateway

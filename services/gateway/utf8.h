// Is it UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing past U+10FFFF)?
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_UTF8_H_
#define KEYFERRY_SERVICES_GATEWAY_UTF8_H_

#include <cstddef>
#include <string_view>

namespace keyferry::gateway {

// Where the first sequence that is not UTF-8 begins; npos when there is none.
size_t FindInvalidUtf8(std::string_view text);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_UTF8_H_

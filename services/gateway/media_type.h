// The value of a Content-Type header (RFC 9110, 8.3).
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_MEDIA_TYPE_H_
#define KEYFERRY_SERVICES_GATEWAY_MEDIA_TYPE_H_

#include <string_view>

namespace keyferry::gateway {

// `application/json`, in any case, with any parameters; a charset must be UTF-8. False for what is no media type at
// all.
bool IsJsonMediaType(std::string_view value);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_MEDIA_TYPE_H_

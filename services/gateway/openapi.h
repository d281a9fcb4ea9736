// openapi.json, built into the program (organizations.cmake).
//
// Thread safety: any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_OPENAPI_H_
#define KEYFERRY_SERVICES_GATEWAY_OPENAPI_H_

#include <string_view>

namespace keyferry::gateway {

std::string_view OpenApiDocument();

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_OPENAPI_H_

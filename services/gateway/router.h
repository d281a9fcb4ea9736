// Finds the route of a request. A path is split at `/` before it is percent-decoded, so that an encoded slash stays
// inside its segment. Nothing is normalized: `//`, `.`, `..` and a trailing slash match no route.
//
// Thread safety: immutable.
#ifndef KEYFERRY_SERVICES_GATEWAY_ROUTER_H_
#define KEYFERRY_SERVICES_GATEWAY_ROUTER_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/gateway/api_calls.h"
#include "services/gateway/exchange.h"

namespace keyferry::gateway {

inline constexpr size_t kMaxQueryParameters = 64;

struct Route {
  std::string_view method;
  // `/v1/organizations/{org}/secrets/{set}`: a segment is fixed or one parameter.
  std::string_view pattern;
  AnswerTask (*handle)(const Request& request, ApiCalls& api);
};

class Router {
 public:
  // routes outlives this. Of the routes with a request's method, a fixed segment wins over a parameter in the same
  // place: a key named `events` is DELETE's, though GET has a route of that name.
  explicit Router(std::span<const Route> routes) : routes_(routes) {}

  // Splits request.target, and fills its parameters and query. HEAD finds GET's route. NotFound ROUTE_NOT_FOUND;
  // Unimplemented METHOD_NOT_ALLOWED with metadata `allow` ("GET, PUT"); InvalidArgument INVALID_TARGET (bad percent
  // encoding, not UTF-8, a control character, more than kMaxQueryParameters). In a query `+` is a space, `a` is `a=`,
  // and `&&` is `&`. Messages do not repeat the target.
  absl::StatusOr<const Route*> Find(Request& request) const;

 private:
  const std::span<const Route> routes_;
};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_ROUTER_H_

#include "services/gateway/router.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "services/gateway/percent_encoding.h"

namespace keyferry::gateway {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

// Takes the text before the next `separator` off `rest`, and the separator.
std::string_view TakePart(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

// Of a path that begins with `/`: its segments, decoded.
absl::StatusOr<std::vector<std::string>> SplitPath(std::string_view path) {
  std::vector<std::string> segments;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at + 1), path.size());
    ASSIGN_OR_RETURN(std::string segment, DecodePercent(path.substr(at + 1, end - at - 1), PlusSign::kItself));
    segments.push_back(std::move(segment));
    at = end;
  }
  return segments;
}

absl::StatusOr<Query> SplitQuery(std::string_view text) {
  Query query;
  while (!text.empty()) {
    std::string_view value = TakePart(text, '&');
    if (value.empty()) continue;
    if (query.size() == kMaxQueryParameters) {
      return MakeError(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("the address has more than ", kMaxQueryParameters, " query parameters"),
                       {.reason = "INVALID_TARGET"});
    }
    const std::string_view name = TakePart(value, '=');
    ASSIGN_OR_RETURN(std::string decoded_name, DecodePercent(name, PlusSign::kSpace));
    ASSIGN_OR_RETURN(std::string decoded_value, DecodePercent(value, PlusSign::kSpace));
    query.emplace_back(std::move(decoded_name), std::move(decoded_value));
  }
  return query;
}

bool IsParameter(std::string_view segment) { return segment.starts_with('{'); }

// What a proxy or a client may take for something else than a name.
bool IsSpecial(std::string_view segment) { return segment.empty() || segment == "." || segment == ".."; }

bool Matches(std::string_view pattern, const std::vector<std::string>& segments) {
  pattern.remove_prefix(1);
  size_t matched = 0;
  for (; !pattern.empty(); ++matched) {
    const std::string_view expected = TakePart(pattern, '/');
    if (matched == segments.size()) return false;
    const std::string& segment = segments[matched];
    if (IsParameter(expected) ? IsSpecial(segment) : segment != expected) return false;
  }
  return matched == segments.size();
}

// Of two patterns that match the same path: does `left` have the first fixed segment where they differ in that?
bool IsMoreSpecific(std::string_view left, std::string_view right) {
  while (!left.empty() && !right.empty()) {
    const bool left_is_fixed = !IsParameter(TakePart(left, '/'));
    if (left_is_fixed == IsParameter(TakePart(right, '/'))) return left_is_fixed;
  }
  return false;
}

std::map<std::string, std::string> ParametersOf(std::string_view pattern, std::vector<std::string> segments) {
  std::map<std::string, std::string> parameters;
  pattern.remove_prefix(1);
  for (std::string& segment : segments) {
    const std::string_view name = TakePart(pattern, '/');
    if (IsParameter(name)) parameters.emplace(name.substr(1, name.size() - 2), std::move(segment));
  }
  return parameters;
}

absl::Status MethodNotAllowed(const std::set<std::string_view>& methods) {
  const std::string allow =
      absl::StrJoin(methods, ", ", [](std::string* out, std::string_view method) { out->append(method); });
  return MakeError(absl::StatusCode::kUnimplemented,
                   absl::StrCat("there is no such method on this route; it has ", allow),
                   {.reason = "METHOD_NOT_ALLOWED", .metadata = {{"allow", allow}}});
}

absl::Status RouteNotFound() {
  return MakeError(absl::StatusCode::kNotFound, "there is no such route; GET /openapi.json lists them all",
                   {.reason = "ROUTE_NOT_FOUND"});
}

}  // namespace

absl::StatusOr<const Route*> Router::Find(Request& request) const {
  const std::string_view target = request.target;
  if (!target.starts_with('/')) return RouteNotFound();
  const size_t path_end = std::min(target.find('?'), target.size());
  ASSIGN_OR_RETURN(std::vector<std::string> segments, SplitPath(target.substr(0, path_end)));

  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  const Route* found = nullptr;
  std::set<std::string_view> allowed;
  for (const Route& route : routes_) {
    if (!Matches(route.pattern, segments)) continue;
    allowed.insert(route.method);
    if (route.method == "GET") allowed.insert("HEAD");
    if (route.method == method && (found == nullptr || IsMoreSpecific(route.pattern, found->pattern))) found = &route;
  }
  if (allowed.empty()) return RouteNotFound();
  if (found == nullptr) return MethodNotAllowed(allowed);

  ASSIGN_OR_RETURN(Query query, SplitQuery(target.substr(std::min(path_end + 1, target.size()))));
  request.parameters = ParametersOf(found->pattern, std::move(segments));
  request.query = std::move(query);
  return found;
}

}  // namespace keyferry::gateway

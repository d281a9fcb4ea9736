#include "services/gateway/error_answer.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"

namespace keyferry::gateway {
namespace {

using enum absl::StatusCode;

constexpr ErrorRule kTable[] = {
    {"API_KEY_NOT_FOUND", kNotFound, 404},
    {"API_TIMEOUT", kDeadlineExceeded, 504},
    {"API_UNAVAILABLE", kUnavailable, 503},
    {"AUDIT_SINK_STALLED", kUnavailable, 503},
    {"BODY_TOO_LARGE", kInvalidArgument, 413},
    {"CONCURRENT_MODIFICATION", kAborted, 409},
    // The contract's word for it; a stock gateway says 409.
    {"DEPLOYMENT_EXISTS", kAlreadyExists, 400},
    {"DEPLOYMENT_NOT_FOUND", kNotFound, 404},
    // No client mends it by asking less often.
    {"DISK_FULL", kResourceExhausted, 503},
    {"DRAINING", kUnavailable, 503},
    {"ENVIRONMENT_TOO_LARGE", kAborted, 409},
    {"ETAG_MISMATCH", kAborted, 409},
    {"GENERATION_NOT_FOUND", kNotFound, 404},
    {"HEADERS_TOO_LARGE", kInvalidArgument, 431},
    {"INTERNAL", kInternal, 500},
    {"INVALID_AGENT_NAME", kInvalidArgument, 400},
    {"INVALID_API_KEY", kInvalidArgument, 400},
    {"INVALID_API_KEY_ID", kInvalidArgument, 400},
    {"INVALID_BODY", kInvalidArgument, 400},
    {"INVALID_CLIENT_DATA", kInvalidArgument, 400},
    {"INVALID_CREDENTIALS", kInvalidArgument, 400},
    {"INVALID_GENERATION", kInvalidArgument, 400},
    {"INVALID_HEADER", kInvalidArgument, 400},
    {"INVALID_HOST", kInvalidArgument, 400},
    {"INVALID_HTTP", kInvalidArgument, 400},
    {"INVALID_IMAGE", kInvalidArgument, 400},
    {"INVALID_JSON", kInvalidArgument, 400},
    {"INVALID_ORGANIZATION", kInvalidArgument, 400},
    {"INVALID_PAGE_SIZE", kInvalidArgument, 400},
    {"INVALID_PAGE_TOKEN", kInvalidArgument, 400},
    {"INVALID_PROPERTY", kInvalidArgument, 400},
    {"INVALID_QUERY", kInvalidArgument, 400},
    {"INVALID_REGION", kInvalidArgument, 400},
    {"INVALID_REQUEST", kInvalidArgument, 400},
    {"INVALID_REQUEST_ID", kInvalidArgument, 400},
    {"INVALID_REQUIRED_KEYS", kInvalidArgument, 400},
    {"INVALID_SEALING_KEY", kInvalidArgument, 400},
    {"INVALID_SECRET_KEY", kInvalidArgument, 400},
    {"INVALID_SECRET_SET_NAME", kInvalidArgument, 400},
    {"INVALID_SECRET_SET_SIZE", kInvalidArgument, 400},
    {"INVALID_SECRET_SET_TYPE", kInvalidArgument, 400},
    {"INVALID_SECRET_VALUE", kInvalidArgument, 400},
    {"INVALID_TARGET", kInvalidArgument, 400},
    {"INVALID_TIMEOUT", kInvalidArgument, 400},
    {"KMS_UNAVAILABLE", kUnavailable, 503},
    {"LIST_TOO_LARGE", kInvalidArgument, 400},
    {"METHOD_NOT_ALLOWED", kUnimplemented, 405},
    {"MISSING_REQUIRED_KEYS", kAborted, 409},
    {"NOT_ACCEPTABLE", kInvalidArgument, 406},
    {"ORGANIZATION_EXISTS", kAlreadyExists, 409},
    {"ORGANIZATION_NOT_FOUND", kNotFound, 404},
    {"OVERLOADED", kResourceExhausted, 429},
    {"PERMISSION_DENIED", kPermissionDenied, 403},
    {"QUOTA_EXCEEDED", kResourceExhausted, 429},
    {"RATE_LIMITED", kResourceExhausted, 429},
    {"REGION_EXISTS", kAlreadyExists, 409},
    {"REGION_MISMATCH", kInvalidArgument, 400},
    {"REGION_NOT_ENROLLED", kFailedPrecondition, 400},
    {"REGION_NOT_FOUND", kNotFound, 404},
    {"REQUEST_ID_REUSED", kAlreadyExists, 409},
    {"REQUEST_TIMEOUT", kDeadlineExceeded, 408},
    {"ROUTE_NOT_FOUND", kNotFound, 404},
    {"SECRET_NOT_FOUND", kNotFound, 404},
    {"SECRET_SET_FAILED", kAborted, 409},
    {"SECRET_SET_IN_USE", kAborted, 409},
    {"SECRET_SET_NOT_FOUND", kNotFound, 404},
    {"SECRET_SET_PENDING", kAborted, 409},
    {"SERVER_BUSY", kUnavailable, 503},
    {"STORE_BUSY", kResourceExhausted, 429},
    {"STORE_CLOSING", kUnavailable, 503},
    {"TARGET_TOO_LONG", kInvalidArgument, 414},
    {"TOO_MANY_CONNECTIONS", kUnavailable, 503},
    {"TOO_MANY_STREAMS", kResourceExhausted, 429},
    {"TOO_MANY_WAITS", kResourceExhausted, 429},
    {"TOO_MANY_WATCHES", kResourceExhausted, 429},
    {"TYPE_IMMUTABLE", kInvalidArgument, 400},
    {"UNAUTHENTICATED", kUnauthenticated, 401},
    {"UNKNOWN_REGION", kInvalidArgument, 400},
    {"UNSUPPORTED_MEDIA_TYPE", kInvalidArgument, 415},
    {"WATCH_TOO_LARGE", kResourceExhausted, 429},
};

// In order, and no reason twice.
static_assert(std::ranges::adjacent_find(kTable, std::greater_equal<>(), &ErrorRule::reason) == std::end(kTable));

constexpr absl::Duration kDefaultRetry = absl::Seconds(1);

const ErrorRule* FindRule(std::string_view reason) {
  const auto* rule = std::ranges::lower_bound(kTable, reason, {}, &ErrorRule::reason);
  return rule != std::end(kTable) && rule->reason == reason ? rule : nullptr;
}

bool IsInternal(absl::StatusCode code) { return code == kInternal || code == kUnknown || code == kDataLoss; }

// The API's own text names an incident and gives nothing away; any other may.
std::string MessageOf(const absl::Status& status, const ErrorDetails& details, std::string_view request_id) {
  if (IsInternal(status.code()) && !details.metadata.contains("incident")) {
    return absl::StrCat("internal error; when you ask support, name request ", std::string(request_id));
  }
  if (status.message().empty()) return absl::StrCat("the request failed: ", absl::StatusCodeToString(status.code()));
  return std::string(status.message());
}

nlohmann::json DetailsJson(const ErrorDetails& details) {
  nlohmann::json json = nlohmann::json::object();
  for (const FieldViolation& violation : details.violations) {
    json["violations"].push_back({{"field", violation.field}, {"description", violation.description}});
  }
  if (!details.metadata.empty()) json["metadata"] = details.metadata;
  if (!details.blockers.empty()) json["blockers"] = details.blockers;
  return json;
}

std::string WholeSeconds(absl::Duration duration) {
  return absl::StrCat(std::max<int64_t>(1, absl::ToInt64Seconds(absl::Ceil(duration, absl::Seconds(1)))));
}

std::vector<Header> HeadersOf(int http, const ErrorDetails& details) {
  std::vector<Header> headers;
  if (details.retry_after) headers.push_back({"Retry-After", WholeSeconds(*details.retry_after)});
  if (http == 401) headers.push_back({"WWW-Authenticate", "Bearer realm=\"keyferry\""});
  if (http != 405) return headers;
  if (const auto allow = details.metadata.find("allow"); allow != details.metadata.end()) {
    headers.push_back({"Allow", allow->second});
  }
  return headers;
}

Answer MakeAnswer(int http, const std::string& message, ErrorDetails details, std::string_view request_id) {
  // A full quota stays full until somebody does something about it.
  const bool passes = (http == 429 || http == 503) && details.reason != "QUOTA_EXCEEDED";
  if (!details.retry_after && passes) details.retry_after = kDefaultRetry;
  nlohmann::json body = {
      {"error", message}, {"code", CodeOf(http)}, {"reason", details.reason}, {"requestId", request_id}};
  if (nlohmann::json more = DetailsJson(details); !more.empty()) body["details"] = std::move(more);
  Answer answer{.status = http};
  answer.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  answer.headers = HeadersOf(http, details);
  answer.reason = details.reason;
  return answer;
}

}  // namespace

std::span<const ErrorRule> ErrorTable() { return kTable; }

int StockHttpStatus(absl::StatusCode code) {
  switch (code) {
    case kOk:
      return 200;
    case kInvalidArgument:
    case kFailedPrecondition:
    case kOutOfRange:
      return 400;
    case kUnauthenticated:
      return 401;
    case kPermissionDenied:
      return 403;
    case kNotFound:
      return 404;
    case kAborted:
    case kAlreadyExists:
      return 409;
    case kResourceExhausted:
      return 429;
    case kCancelled:
      return 499;
    case kUnimplemented:
      return 501;
    case kUnavailable:
      return 503;
    case kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

std::string_view CodeOf(int http_status) {
  switch (http_status) {
    case 401:
      return "UNAUTHORIZED";
    case 403:
      return "FORBIDDEN";
    case 404:
      return "NOT_FOUND";
    case 405:
      return "METHOD_NOT_ALLOWED";
    case 406:
      return "NOT_ACCEPTABLE";
    case 408:
      return "REQUEST_TIMEOUT";
    case 409:
      return "CONFLICT";
    case 413:
      return "PAYLOAD_TOO_LARGE";
    case 414:
      return "URI_TOO_LONG";
    case 415:
      return "UNSUPPORTED_MEDIA_TYPE";
    case 429:
      return "RATE_LIMITED";
    case 431:
      return "HEADERS_TOO_LARGE";
    case 499:
      return "REQUEST_CANCELLED";
    case 501:
      return "NOT_IMPLEMENTED";
    case 503:
      return "UNAVAILABLE";
    case 504:
      return "GATEWAY_TIMEOUT";
    default:
      return http_status < 500 ? "GENERIC_BAD_REQUEST" : "INTERNAL_SERVER_ERROR";
  }
}

Answer ErrorAnswer(const absl::Status& status, std::string_view request_id) {
  ErrorDetails details = DetailsOf(status).value_or(ErrorDetails{});
  if (details.reason.empty()) details.reason = absl::StatusCodeToString(status.code());
  const ErrorRule* const rule = FindRule(details.reason);
  const bool applies = rule != nullptr && rule->status == status.code();
  return MakeAnswer(applies ? rule->http : StockHttpStatus(status.code()), MessageOf(status, details, request_id),
                    details, request_id);
}

Answer HttpFaultAnswer(std::string_view reason, std::string_view message, std::string_view request_id) {
  const ErrorRule* const rule = FindRule(reason);
  return MakeAnswer(rule != nullptr ? rule->http : 500, std::string(message), {.reason = std::string(reason)},
                    request_id);
}

}  // namespace keyferry::gateway

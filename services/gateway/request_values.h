// What requests say beside their bodies: conditions in headers, numbers and times in the query.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_REQUEST_VALUES_H_
#define KEYFERRY_SERVICES_GATEWAY_REQUEST_VALUES_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/gateway/exchange.h"

namespace keyferry::gateway {

// What goes for a write only under a condition. Empty: none.
struct WriteHeaders {
  // Of If-Match: `"etag"` or plain. What a GET's ETag has behind the etag is left out.
  std::string etag;
  // Of Idempotency-Key: plain or quoted.
  std::string request_id;
};
// InvalidArgument INVALID_HEADER for what could not be kept: `*`, a weak or a second etag, a header that is empty or
// there twice, and If-None-Match. A condition is never left out silently.
absl::StatusOr<WriteHeaders> WriteHeadersOf(const Request& request);

// `"etag-1f2e…"`: the etag of writes, and a hash of the body, since the status in it changes without a write.
std::string EntityTag(std::string_view etag, std::string_view body);
// Whether If-None-Match names it, or is `*`.
bool IsKnownToClient(const Request& request, std::string_view entity_tag);

// An integer from least to most; nullopt when absent. InvalidArgument INVALID_QUERY.
absl::StatusOr<std::optional<int64_t>> QueryInteger(const Request& request, std::string_view name, int64_t least,
                                                    int64_t most);
// `30s`, `500ms`, `2m`, or seconds as a bare number, 0 to most; nullopt when absent. InvalidArgument INVALID_QUERY.
absl::StatusOr<std::optional<absl::Duration>> QueryDuration(const Request& request, std::string_view name,
                                                            absl::Duration most);

// Whether Accept, where there is one, takes this type: `text/event-stream`, `text/*` or `*/*` with a quality above 0.
bool Accepts(const Request& request, std::string_view type);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_REQUEST_VALUES_H_

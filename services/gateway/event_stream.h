// Server-sent events of the changes that WatchSecretSets tells:
//
//   retry: 1000
//
//   event: set            data: an entry of GET /secrets      a set as it is now
//   event: deleted        data: {"name"}
//   event: snapshot       data: {"complete":true}             what follows are changes
//   event: failure        data: an error's body               the stream failed; it then closes. Not `error`: an
//   EventSource calls
//                                                             its own that
//   : keep-alive          after each interval without an event
//
// Thread safety: a stream belongs to the thread of its connection.
#ifndef KEYFERRY_SERVICES_GATEWAY_EVENT_STREAM_H_
#define KEYFERRY_SERVICES_GATEWAY_EVENT_STREAM_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "services/gateway/api_calls.h"

namespace keyferry::v1 {
class WatchSecretSetsResponse;
}

namespace keyferry::gateway {

inline constexpr absl::Duration kKeepAliveInterval = absl::Seconds(15);
// Events that wait for a slow client; then reading pauses, and the API coalesces.
inline constexpr size_t kMaxWaitingEventBytes = 16 * 1024;

// One event, or nothing for a change that this gateway does not know.
std::string EventText(const v1::WatchSecretSetsResponse& change);

struct EventSource {
  std::unique_ptr<ApiStream> stream;
  // What was read of it already, as text.
  std::string text;
  // For an error's body.
  std::string request_id;
  absl::Duration keep_alive = kKeepAliveInterval;
};
// For Answer::stream. Ends, and cancels the API's stream, when the client is gone, when it is cancelled, or when the
// API's stream has ended.
asio::awaitable<void> SendEvents(std::shared_ptr<EventSource> source, BodyStream& client);

// WatchSecretSets (secret_routes.h) with another interval.
AnswerTask WatchWithKeepAlive(const Request& request, ApiCalls& api, absl::Duration keep_alive);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_EVENT_STREAM_H_

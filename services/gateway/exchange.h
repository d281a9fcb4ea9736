// One HTTP exchange as the gateway's handlers see it: a request that was read whole, and the answer to it.
//
// Thread safety: plain values; an exchange belongs to the one thread of its connection.
#ifndef KEYFERRY_SERVICES_GATEWAY_EXCHANGE_H_
#define KEYFERRY_SERVICES_GATEWAY_EXCHANGE_H_

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace keyferry::gateway {

namespace asio = boost::asio;

struct Header {
  std::string name;
  std::string value;
};

struct Request {
  // As sent: `GET`.
  std::string method;
  // As sent, path and query. Never logged: people paste secrets into addresses.
  std::string target;
  std::vector<Header> headers;
  std::string body;
  // The caller's X-Request-Id where it is 1 to 64 characters of [A-Za-z0-9._-], else a new one. Answered as
  // X-Request-Id, in error bodies as `requestId`, passed on to the API, and in every log line.
  std::string id;
  std::string remote_address;

  // What the router found, percent-decoded: `org`, `set`, `key`, `agent`, `id`. Absent where the route has none.
  std::map<std::string, std::string> parameters;
  // Percent-decoded; a name given twice has two entries.
  std::vector<std::pair<std::string, std::string>> query;

  // The value of the only header of that name (case does not count); nullopt when there is none or more than one.
  std::optional<std::string_view> FindHeader(std::string_view name) const;
  // Empty when the route has no such parameter: what the API takes for "the credential's own organization".
  const std::string& Parameter(const std::string& name) const;
};

// Where a streamed answer goes.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // False when the client is gone or the server drains: write no more. A client that does not read for the write
  // timeout is gone.
  virtual asio::awaitable<bool> Write(std::string chunk) = 0;
};

struct Answer {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  // Beside Content-Type, Content-Length, Date, Connection, X-Request-Id, Cache-Control: no-store.
  std::vector<Header> headers;
  // In the place of `body`: runs once the headers are sent. It is cancelled when the client goes away.
  std::function<asio::awaitable<void>(BodyStream&)> stream;

  // For logs and metrics. Route: the pattern, `/v1/secrets/{set}`; empty when none matched. Reason: of an error.
  std::string_view route;
  std::string reason;
};

// A handler may fail with any status; its caller makes an error answer of it (error_answer.h).
using AnswerTask = asio::awaitable<absl::StatusOr<Answer>>;

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_EXCHANGE_H_

// HTTP/1.1 over TLS, or in the clear on loopback: reads whole requests within limits, hands them to one handler, writes
// answers. docs/adr/2026-11-23-beast-for-http tells why Beast.
//
// Invariants:
//   G1  Every request line gets an answer with a body of the contract's shape, also one that breaks a limit or is not
//   HTTP; then the
//       connection closes, since what follows cannot be trusted. Only a client that sent no byte, or that takes no
//       answer, is closed without one.
//   G2  A client holds a connection no longer than the limits say: idle, header, body, handler and write times are
//   bounded. G3  When a client goes away its handler is cancelled, and with it the calls that it waits for. G4  Nothing
//   is buffered beyond the limits: one request and one answer a connection, no pipelining ahead of an answer, and so
//   many
//       bytes of bodies in all connections together.
//
// Thread safety: all methods from any thread. A handler runs on the one thread of its connection.
#ifndef KEYFERRY_SERVICES_GATEWAY_HTTP_SERVER_H_
#define KEYFERRY_SERVICES_GATEWAY_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/gateway/exchange.h"

namespace keyferry::gateway {

struct HttpLimits {
  // Request line and headers; the target alone.
  size_t header_bytes = 16 * 1024;
  size_t target_bytes = 4 * 1024;
  // A full set (512 KiB of values) as JSON, each byte escaped in six, fits.
  size_t body_bytes = 4 * 1024 * 1024;
  // Bodies of all connections that are read or handled, for as long as their exchange lasts. A buffer may be twice as
  // large as what is in it.
  size_t buffered_bytes = 256 * 1024 * 1024;
  // Fewer where RLIMIT_NOFILE has no room for them.
  int connection_count = 4096;
  // Between two requests.
  absl::Duration idle = absl::Seconds(75);
  // From the first byte of a request to the end of its headers, and from there to the end of its body. A new connection
  // has as long for its first byte.
  absl::Duration header = absl::Seconds(10);
  absl::Duration body = absl::Seconds(30);
  // For each 64 KiB of an answer; and for all of it, a stream's excepted.
  absl::Duration write = absl::Seconds(30);
  absl::Duration answer = absl::Minutes(10);
};

struct HttpDoor {
  // `host:port`; port 0: any.
  std::string address;
  // PEM files. Both empty: no TLS, and then only a loopback address is taken.
  std::string certificate_chain;
  std::string private_key;
};

// What the access log and the metrics learn of an exchange.
struct ExchangeRecord {
  const Request& request;
  const Answer& answer;
  absl::Duration duration;
  size_t bytes_sent = 0;
  bool client_left = false;
};

class HttpServer {
 public:
  struct Options {
    std::vector<HttpDoor> doors;
    HttpLimits limits;
    int thread_count = 2;
    // Must not throw. A request's reference is good until the task ends.
    std::function<asio::awaitable<Answer>(Request&)> handler;
    // May be null. Of a request whose headers are whole and whose body is yet to be read: an answer spares reading it,
    // and is the connection's last. Must not throw.
    std::function<std::optional<Answer>(Request&)> refuse_early = nullptr;
    // Called after each exchange, on any thread; also for refused ones, whose request may be partly empty.
    std::function<void(const ExchangeRecord&)> record = nullptr;
  };

  // Binds and serves. InvalidArgument: an address, plaintext beyond loopback, a certificate or key that does not load
  // or match. Unavailable: the address is in use.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(Options options);
  virtual ~HttpServer() = default;

  // As bound, in the order of the doors.
  virtual std::vector<std::string> addresses() const = 0;
  virtual int connection_count() const = 0;
  // Of bodies that were read, in part or whole, and whose requests are not done with.
  virtual size_t buffered_bytes() const = 0;
  // For the next handshakes; when a file is wrong, none is swapped.
  virtual absl::Status ReloadCertificates() = 0;
  // Accepts no more, closes idle connections, ends streams, refuses requests that have come in part, answers what is in
  // hand with `Connection: close`. Handlers that are not done two seconds before patience ends are cancelled, and
  // answered 503; what is left at its end is cut off. Returns when all threads have stopped. A second time it does
  // nothing.
  virtual void Drain(absl::Duration patience) = 0;
};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_HTTP_SERVER_H_

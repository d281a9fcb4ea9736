// Bytes to and from one client, plain or over TLS, each wait with a deadline.
//
// Invariants:
//   B1  A deadline that has passed ends what is waited for, not the channel: an answer can still be sent.
//   B2  After Close the peer has a second to read what it was sent; what it still sends is thrown away meanwhile.
//   Closing at once would
//       reset the connection, and the peer might never see the answer.
//   B3  What was read is wiped once it is consumed.
//
// Thread safety: none; all on the socket's executor. One task at a time.
#ifndef KEYFERRY_SERVICES_GATEWAY_HTTP_CHANNEL_H_
#define KEYFERRY_SERVICES_GATEWAY_HTTP_CHANNEL_H_

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "services/gateway/exchange.h"

namespace keyferry::gateway {

class HttpChannel {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Opened : uint8_t {
    kReady,
    // The peer speaks plain HTTP to a TLS door; what is put now goes out as it is.
    kNotTls,
    kGone,
  };

  // tls: nullptr for a plain connection.
  static std::unique_ptr<HttpChannel> Create(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> tls);
  virtual ~HttpChannel() = default;

  // The TLS handshake, where there is one.
  virtual asio::awaitable<Opened> Open(absl::Duration patience) = 0;
  // Appends to `bytes` at most so many. False: the peer sends no more, or the deadline has passed.
  virtual asio::awaitable<bool> Read(size_t byte_count) = 0;
  // Sends all, or answers false and is gone.
  virtual asio::awaitable<bool> Put(std::string_view first, std::string_view second = {}) = 0;
  virtual asio::awaitable<void> Close() = 0;

  // Read and not consumed.
  std::string_view bytes() const { return {static_cast<const char*>(buffer_.cdata().data()), buffer_.size()}; }
  void Consume(size_t byte_count);
  void ReleaseMemory();

  // From now on; it replaces the one before.
  void Expect(absl::Duration patience);
  void ExpectNothing() { deadline_ = Clock::time_point::max(); }
  // As if the deadline had passed.
  void Expire();
  void ExpireIfLate(Clock::time_point now);
  void Abort();

  bool is_late() const { return is_late_; }
  // Nothing can be sent any more.
  bool is_gone() const { return is_gone_; }
  // Looks at the socket: the peer has closed at least its sending side.
  bool HasPeerLeft();
  bool HasBytesWaiting();
  size_t bytes_sent() const { return bytes_sent_; }
  std::string RemoteAddress();

 protected:
  virtual asio::ip::tcp::socket& Socket() = 0;

  boost::beast::flat_buffer buffer_;
  Clock::time_point deadline_ = Clock::time_point::max();
  bool is_late_ = false;
  bool is_gone_ = false;
  size_t bytes_sent_ = 0;
};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_HTTP_CHANNEL_H_

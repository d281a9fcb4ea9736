#include "services/gateway/http_channel.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "libs/common/log.h"

namespace keyferry::gateway {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// What an idle connection may keep of its buffer.
constexpr size_t kKeptBytes = 16 * 1024;
constexpr absl::Duration kLinger = absl::Seconds(1);
constexpr size_t kLingerReadBytes = 64 * 1024;
// Most clients read the answer to a body that is too large only when they have sent all of it.
constexpr size_t kMaxLingerBytes = 8 * 1024 * 1024;

// No TLS record begins with a letter; every request does.
bool BeginsLikeHttp(int descriptor) {
  unsigned char first = 0;
  return recv(descriptor, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && absl::ascii_isupper(first);
}

template <typename Stream>
class StreamChannel final : public HttpChannel {
 public:
  template <typename... Arguments>
  explicit StreamChannel(std::shared_ptr<asio::ssl::context> tls, Arguments&&... arguments)
      : tls_(std::move(tls)), stream_(std::forward<Arguments>(arguments)...) {}

  asio::awaitable<Opened> Open(absl::Duration patience) override;
  asio::awaitable<bool> Read(size_t byte_count) override;
  asio::awaitable<bool> Put(std::string_view first, std::string_view second) override;
  asio::awaitable<void> Close() override;

 private:
  static constexpr bool kIsTls = !std::is_same_v<Stream, tcp::socket>;

  tcp::socket& Socket() override {
    if constexpr (kIsTls) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  const std::shared_ptr<asio::ssl::context> tls_;
  Stream stream_;
  // TLS: the handshake is done.
  bool is_secure_ = false;
};

template <typename Stream>
asio::awaitable<HttpChannel::Opened> StreamChannel<Stream>::Open(absl::Duration patience) {
  if constexpr (kIsTls) {
    Expect(patience);
    error_code error;
    co_await Socket().async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
    if (!error && BeginsLikeHttp(Socket().native_handle())) co_return Opened::kNotTls;
    if (!error)
      co_await stream_.async_handshake(asio::ssl::stream_base::server,
                                       asio::redirect_error(asio::use_awaitable, error));
    is_secure_ = !error;
    is_gone_ = !is_secure_;
    if (error) Log(Severity::kDebug, "tls_handshake_failed", {{"remote", RemoteAddress()}, {"error", error.message()}});
  }
  co_return is_gone_ ? Opened::kGone : Opened::kReady;
}

template <typename Stream>
asio::awaitable<bool> StreamChannel<Stream>::Read(size_t byte_count) {
  if (is_late_) co_return false;
  error_code error;
  const size_t came =
      co_await stream_.async_read_some(buffer_.prepare(byte_count), asio::redirect_error(asio::use_awaitable, error));
  buffer_.commit(came);
  co_return !error;
}

template <typename Stream>
asio::awaitable<bool> StreamChannel<Stream>::Put(std::string_view first, std::string_view second) {
  const std::array<asio::const_buffer, 2> bytes = {asio::const_buffer(first.data(), first.size()),
                                                   asio::const_buffer(second.data(), second.size())};
  error_code error;
  size_t sent = 0;
  if (kIsTls && !is_secure_) {
    sent = co_await asio::async_write(Socket(), bytes, asio::redirect_error(asio::use_awaitable, error));
  } else {
    sent = co_await asio::async_write(stream_, bytes, asio::redirect_error(asio::use_awaitable, error));
  }
  bytes_sent_ += sent;
  is_gone_ = is_gone_ || error;
  co_return !error;
}

template <typename Stream>
asio::awaitable<void> StreamChannel<Stream>::Close() {
  Expect(kLinger);
  error_code error;
  if constexpr (kIsTls) {
    // As if the peer had said its last word, so that ours is sent and its is not waited for.
    if (is_secure_) SSL_set_shutdown(stream_.native_handle(), SSL_RECEIVED_SHUTDOWN);
    if (is_secure_) co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, error));
  }
  Socket().shutdown(tcp::socket::shutdown_send, error);
  buffer_.clear();
  for (size_t thrown_away = 0; thrown_away < kMaxLingerBytes && !is_late_;) {
    thrown_away += co_await Socket().async_read_some(buffer_.prepare(kLingerReadBytes),
                                                     asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
  }
}

}  // namespace

void HttpChannel::Consume(size_t byte_count) {
  OPENSSL_cleanse(buffer_.data().data(), byte_count);
  buffer_.consume(byte_count);
}

void HttpChannel::ReleaseMemory() {
  if (buffer_.size() == 0 && buffer_.capacity() > kKeptBytes) buffer_.shrink_to_fit();
}

void HttpChannel::Expect(absl::Duration patience) {
  deadline_ = Clock::now() + absl::ToChronoNanoseconds(patience);
  is_late_ = false;
}

void HttpChannel::Expire() {
  error_code error;
  is_late_ = true;
  Socket().cancel(error);
}

void HttpChannel::ExpireIfLate(Clock::time_point now) {
  if (now >= deadline_) Expire();
}

void HttpChannel::Abort() {
  error_code error;
  is_gone_ = true;
  Socket().close(error);
}

bool HttpChannel::HasPeerLeft() {
  pollfd event{.fd = Socket().native_handle(), .events = POLLRDHUP, .revents = 0};
  if (poll(&event, 1, 0) > 0) is_gone_ = true;
  return is_gone_;
}

bool HttpChannel::HasBytesWaiting() {
  error_code error;
  return Socket().available(error) > 0;
}

std::string HttpChannel::RemoteAddress() {
  error_code error;
  const tcp::endpoint peer = Socket().remote_endpoint(error);
  return error ? std::string() : peer.address().to_string();
}

std::unique_ptr<HttpChannel> HttpChannel::Create(tcp::socket socket, std::shared_ptr<asio::ssl::context> tls) {
  if (tls == nullptr) return std::make_unique<StreamChannel<tcp::socket>>(nullptr, std::move(socket));
  asio::ssl::context& context = *tls;
  return std::make_unique<StreamChannel<asio::ssl::stream<tcp::socket>>>(std::move(tls), std::move(socket), context);
}

}  // namespace keyferry::gateway

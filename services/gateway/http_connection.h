// One client: its requests are read, handled and answered one after another, by one coroutine on one thread.
//
// Invariants:
//   C1  Every wait on the peer has a deadline; a handler bounds its own time. Deadlines are looked at on each tick, so
//       they are up to kConnectionTick late.
//   C2  While a handler or a stream runs, each tick looks whether the peer has closed its end, and then cancels it. A
//       client that only half-closes counts as gone: one that wants an answer keeps its sending side open.
//   C3  A body is wiped, and counted no more, once its exchange has ended.
//
// Thread safety: none; all on the channel's executor.
#ifndef KEYFERRY_SERVICES_GATEWAY_HTTP_CONNECTION_H_
#define KEYFERRY_SERVICES_GATEWAY_HTTP_CONNECTION_H_

#include <atomic>
#include <boost/asio/cancellation_signal.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "services/gateway/http_answer_head.h"
#include "services/gateway/http_channel.h"
#include "services/gateway/http_request_parser.h"
#include "services/gateway/http_server.h"

namespace keyferry::gateway {

inline constexpr std::chrono::milliseconds kConnectionTick{250};

class HttpConnection final : private BodyStream {
 public:
  using Time = HttpChannel::Clock::time_point;

  // What all connections of a server have in common; outlives them.
  struct Shared {
    HttpServer::Options options;
    std::atomic<bool> is_draining = false;
    // Handlers have had their time.
    std::atomic<bool> is_cutting = false;
    std::atomic<size_t> buffered_bytes = 0;
  };
  enum class Purpose : uint8_t {
    kServe,
    // Answers TOO_MANY_CONNECTIONS without reading a request.
    kRefuse,
  };

  HttpConnection(std::unique_ptr<HttpChannel> channel, bool is_tls, Shared& shared, Purpose purpose);
  ~HttpConnection() override { DropBody(); }

  // Once; to be spawned with `cancellation().slot()`. Never throws.
  asio::awaitable<void> Run();

  void OnTick(Time now);
  // shared.is_draining, or is_cutting too, has become true.
  void OnDrain();
  // Ends at once, answered or not.
  void Abort();

  asio::cancellation_signal& cancellation() { return cancellation_; }

 private:
  enum class Phase : uint8_t { kIdle, kReading, kBusy, kHandling, kStreaming };
  using Step = HttpRequestParser::Step;

  asio::awaitable<bool> Open();
  // These answer whether the connection can take another request.
  asio::awaitable<bool> ServeOne();
  asio::awaitable<bool> Serve(const HttpRequestParser& parser);
  asio::awaitable<bool> Refuse(HttpFault fault, bool is_tls);
  asio::awaitable<bool> SendLast(Answer answer, bool is_tls);

  asio::awaitable<bool> AwaitRequest();
  // kMoreBytes: no more comes.
  asio::awaitable<Step> ReadStep(HttpRequestParser& parser, size_t read_bytes);
  asio::awaitable<Step> ReadBody(HttpRequestParser& parser);
  asio::awaitable<bool> ReadSome(size_t byte_count);
  asio::awaitable<Answer> Handle();
  asio::awaitable<bool> Send(const Answer& answer, AnswerFraming framing);
  asio::awaitable<bool> SendStream(const Answer& answer);
  asio::awaitable<bool> Write(std::string chunk) override;
  asio::awaitable<bool> Put(std::string_view first, std::string_view second = {});

  const HttpLimits& Limits() const { return shared_.options.limits; }
  bool IsDraining() const { return shared_.is_draining.load(std::memory_order_relaxed); }
  void Cancel() { cancellation_.emit(asio::cancellation_type::terminal); }
  HttpFault FaultOf(const HttpRequestParser& parser) const;
  std::optional<Answer> RefuseEarly();
  // False when there is no room for what came of the body.
  bool CountBody();
  void DropBody();
  void Forget();
  void Record(const Answer& answer) const;

  Shared& shared_;
  const Purpose purpose_;
  const bool is_tls_;
  const std::unique_ptr<HttpChannel> channel_;
  const std::string remote_address_;
  asio::cancellation_signal cancellation_;
  Phase phase_ = Phase::kBusy;
  bool is_fresh_ = true;
  // The drain has cancelled the handler.
  bool is_cut_ = false;

  // Of the exchange.
  Request request_;
  Time started_ = HttpChannel::Clock::now();
  size_t sent_before_ = 0;
  size_t counted_bytes_ = 0;
  bool is_over_budget_ = false;
  // Reused from answer to answer.
  std::string output_;
  bool is_chunked_ = true;
  bool is_writing_ = false;
};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_HTTP_CONNECTION_H_

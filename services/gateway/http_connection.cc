#include "services/gateway/http_connection.h"

#include <openssl/crypto.h>

#include <boost/asio/this_coro.hpp>
#include <typeinfo>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/log.h"
#include "services/gateway/error_answer.h"

namespace keyferry::gateway {
namespace {

constexpr size_t kHeaderReadBytes = 4 * 1024;
constexpr size_t kBodyReadBytes = 64 * 1024;
// What an idle connection may keep of its output.
constexpr size_t kKeptBytes = 16 * 1024;
// A body up to here is copied behind its head: one buffer, one TLS record.
constexpr size_t kJoinedBodyBytes = 15 * 1024;
// What renews the write limit.
constexpr size_t kPieceBytes = 64 * 1024;
constexpr int kStatusClientLeft = 499;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

HttpFault Draining(std::string_view what) {
  return {.reason = "API_UNAVAILABLE", .message = absl::StrCat("this server is stopping: ", std::string(what))};
}

}  // namespace

HttpConnection::HttpConnection(std::unique_ptr<HttpChannel> channel, bool is_tls, Shared& shared, Purpose purpose)
    : shared_(shared),
      purpose_(purpose),
      is_tls_(is_tls),
      channel_(std::move(channel)),
      remote_address_(channel_->RemoteAddress()) {}

void HttpConnection::OnTick(Time now) {
  channel_->ExpireIfLate(now);
  const bool is_running = phase_ == Phase::kHandling || phase_ == Phase::kStreaming;
  if (is_running && channel_->HasPeerLeft()) {
    Cancel();
  } else if (IsDraining()) {
    OnDrain();
  }
}

void HttpConnection::OnDrain() {
  if (phase_ == Phase::kIdle || phase_ == Phase::kReading) channel_->Expire();
  if (phase_ == Phase::kStreaming && !is_writing_) Cancel();
  if (phase_ != Phase::kHandling || is_cut_ || !shared_.is_cutting) return;
  is_cut_ = true;
  Cancel();
}

void HttpConnection::Abort() {
  channel_->Abort();
  Cancel();
}

asio::awaitable<void> HttpConnection::Run() {
  try {
    bool goes_on = co_await Open();
    while (goes_on) goes_on = co_await ServeOne();
    if (!channel_->is_gone()) co_await channel_->Close();
  } catch (const std::exception& failure) {
    // Cancelled, as a rule.
    Log(Severity::kDebug, "connection_cut", {{"remote", remote_address_}, {"what", typeid(failure).name()}});
  }
}

asio::awaitable<bool> HttpConnection::Open() {
  Forget();
  HttpFault fault;
  if (purpose_ == Purpose::kRefuse) {
    fault = {.reason = "TOO_MANY_CONNECTIONS", .message = "too many connections; try again soon"};
  } else {
    phase_ = Phase::kIdle;
    const HttpChannel::Opened opened = co_await channel_->Open(Limits().header);
    phase_ = Phase::kBusy;
    if (opened == HttpChannel::Opened::kReady) co_return true;
    if (opened == HttpChannel::Opened::kGone) co_return false;
    fault = {.reason = "INVALID_HTTP", .message = "this port speaks TLS: use https"};
  }
  const bool goes_on = co_await Refuse(std::move(fault), false);
  co_return goes_on;
}

asio::awaitable<bool> HttpConnection::ServeOne() {
  const bool came = co_await AwaitRequest();
  if (!came) co_return false;
  started_ = HttpChannel::Clock::now();
  HttpRequestParser parser(Limits(), request_);
  channel_->Expect(Limits().header);
  Step step = co_await ReadStep(parser, kHeaderReadBytes);
  std::optional<Answer> refusal;
  if (step == Step::kHeaders) {
    refusal = RefuseEarly();
    if (!refusal) step = co_await ReadBody(parser);
  }
  bool goes_on = false;
  if (refusal) {
    goes_on = co_await SendLast(*std::move(refusal), is_tls_);
  } else if (step == Step::kRequest) {
    goes_on = co_await Serve(parser);
  } else if (parser.has_started()) {
    HttpFault fault = FaultOf(parser);
    goes_on = co_await Refuse(std::move(fault), is_tls_);
  }
  Forget();
  co_return goes_on;
}

asio::awaitable<bool> HttpConnection::AwaitRequest() {
  const bool is_fresh = std::exchange(is_fresh_, false);
  if (!channel_->bytes().empty()) co_return true;
  channel_->Expect(is_fresh ? Limits().header : Limits().idle);
  phase_ = Phase::kIdle;
  if (IsDraining()) OnDrain();
  bool came = co_await channel_->Read(kHeaderReadBytes);
  phase_ = Phase::kBusy;
  // It was on its way before the drain.
  if (!came && IsDraining() && channel_->HasBytesWaiting()) {
    channel_->Expect(Limits().header);
    came = co_await ReadSome(kHeaderReadBytes);
  }
  co_return came;
}

asio::awaitable<bool> HttpConnection::ReadSome(size_t byte_count) {
  // A drain takes what has come, and waits for no more.
  if (IsDraining() && !channel_->HasBytesWaiting()) co_return false;
  phase_ = Phase::kReading;
  const bool came = co_await channel_->Read(byte_count);
  phase_ = Phase::kBusy;
  co_return came;
}

asio::awaitable<HttpConnection::Step> HttpConnection::ReadStep(HttpRequestParser& parser, size_t read_bytes) {
  for (;;) {
    size_t consumed = 0;
    const Step step = parser.Parse(channel_->bytes(), consumed);
    channel_->Consume(consumed);
    if (!CountBody()) co_return Step::kFault;
    if (step != Step::kMoreBytes) co_return step;
    const bool came = co_await ReadSome(read_bytes);
    if (!came) co_return Step::kMoreBytes;
  }
}

asio::awaitable<HttpConnection::Step> HttpConnection::ReadBody(HttpRequestParser& parser) {
  channel_->Expect(Limits().body);
  if (parser.expects_continue() && channel_->bytes().empty()) {
    const bool sent = co_await channel_->Put(kContinue);
    if (!sent) co_return Step::kMoreBytes;
  }
  const Step step = co_await ReadStep(parser, kBodyReadBytes);
  co_return step;
}

bool HttpConnection::CountBody() {
  const size_t more = request_.body.size() - counted_bytes_;
  if (more == 0) return true;
  counted_bytes_ += more;
  is_over_budget_ = shared_.buffered_bytes.fetch_add(more) + more > Limits().buffered_bytes;
  return !is_over_budget_;
}

std::optional<Answer> HttpConnection::RefuseEarly() {
  if (!shared_.options.refuse_early) return std::nullopt;
  request_.id = ChooseRequestId(request_);
  return shared_.options.refuse_early(request_);
}

HttpFault HttpConnection::FaultOf(const HttpRequestParser& parser) const {
  if (!parser.fault().reason.empty()) return parser.fault();
  if (is_over_budget_) return {.reason = "SERVER_BUSY", .message = "too many large requests at a time; try again soon"};
  if (IsDraining()) return Draining("send the request again");
  if (channel_->is_late()) return {.reason = "REQUEST_TIMEOUT", .message = "the request took too long to arrive"};
  return {.reason = "INVALID_HTTP", .message = "the request ended before it was whole"};
}

asio::awaitable<bool> HttpConnection::Serve(const HttpRequestParser& parser) {
  if (request_.id.empty()) request_.id = ChooseRequestId(request_);
  Answer answer = co_await Handle();
  AnswerFraming framing{.is_http_1_0 = parser.is_http_1_0(), .is_tls = is_tls_};
  framing.keep_alive = parser.keeps_alive() && !IsDraining() && !(answer.stream && framing.is_http_1_0);
  bool sent = false;
  if (!channel_->is_gone()) sent = co_await Send(answer, framing);
  Record(answer);
  co_return sent&& framing.keep_alive;
}

asio::awaitable<Answer> HttpConnection::Handle() {
  channel_->ExpectNothing();
  phase_ = Phase::kHandling;
  Answer answer;
  const char* failed = nullptr;
  try {
    answer = co_await shared_.options.handler(request_);
  } catch (const std::exception& failure) {
    // Not its text, which may hold what the client sent.
    failed = typeid(failure).name();
  } catch (...) {
    failed = "unknown";
  }
  phase_ = Phase::kBusy;
  // The drain has cancelled the handler, not its answer.
  if (is_cut_) co_await asio::this_coro::reset_cancellation_state();
  if (is_cut_ && (failed != nullptr || answer.status >= kStatusClientLeft)) {
    const HttpFault fault = Draining("what was asked for may be done or not; look, then ask again");
    co_return HttpFaultAnswer(fault.reason, fault.message, request_.id);
  }
  if (failed == nullptr) co_return answer;
  if (channel_->is_gone()) co_return Answer{.status = kStatusClientLeft};
  Log(Severity::kError, "handler_failed", {{"request_id", request_.id}, {"what", failed}});
  co_return HttpFaultAnswer(
      "INTERNAL", absl::StrCat("internal error; when you ask support, name request ", request_.id), request_.id);
}

asio::awaitable<bool> HttpConnection::Refuse(HttpFault fault, bool is_tls) {
  if (request_.id.empty()) request_.id = ChooseRequestId(request_);
  Answer answer = HttpFaultAnswer(fault.reason, fault.message, request_.id);
  const bool goes_on = co_await SendLast(std::move(answer), is_tls);
  co_return goes_on;
}

asio::awaitable<bool> HttpConnection::SendLast(Answer answer, bool is_tls) {
  const AnswerFraming framing{.keep_alive = false, .is_tls = is_tls};
  co_await Send(answer, framing);
  Record(answer);
  co_return false;
}

asio::awaitable<bool> HttpConnection::Send(const Answer& answer, AnswerFraming framing) {
  output_.clear();
  AppendAnswerHead(answer, request_.id, framing, output_);
  const bool has_body = request_.method != "HEAD" && HasBody(answer);
  const bool is_streamed = has_body && answer.stream;
  std::string_view rest;
  if (has_body && !is_streamed) rest = answer.body;
  if (rest.size() <= kJoinedBodyBytes) {
    output_ += rest;
    rest = {};
  }
  bool sent = co_await Put(output_, rest);
  if (!sent || !is_streamed) co_return sent;
  is_chunked_ = !framing.is_http_1_0;
  sent = co_await SendStream(answer);
  co_return sent;
}

asio::awaitable<bool> HttpConnection::SendStream(const Answer& answer) {
  channel_->ExpectNothing();
  phase_ = Phase::kStreaming;
  bool is_whole = true;
  try {
    co_await answer.stream(*this);
  } catch (...) {
    is_whole = IsDraining();
    if (!is_whole && !channel_->is_gone()) Log(Severity::kError, "stream_failed", {{"request_id", request_.id}});
  }
  phase_ = Phase::kBusy;
  if (channel_->is_gone()) co_return false;
  // A drain has cancelled the stream, not the end of the answer.
  co_await asio::this_coro::reset_cancellation_state();
  channel_->Expect(Limits().write);
  // Without it the client knows that something is missing.
  if (is_whole && is_chunked_) is_whole = co_await channel_->Put(kLastChunk);
  co_return is_whole;
}

asio::awaitable<bool> HttpConnection::Write(std::string chunk) {
  if (channel_->is_gone() || IsDraining()) co_return false;
  // In chunked framing an empty one would be the last.
  if (chunk.empty()) co_return true;
  output_.clear();
  if (is_chunked_) {
    absl::StrAppend(&output_, absl::Hex(chunk.size()), "\r\n", chunk, "\r\n");
  } else {
    output_ = std::move(chunk);
  }
  is_writing_ = true;
  const bool sent = co_await Put(output_);
  channel_->ExpectNothing();
  is_writing_ = false;
  co_return sent && !IsDraining();
}

asio::awaitable<bool> HttpConnection::Put(std::string_view first, std::string_view second) {
  const Time end = HttpChannel::Clock::now() + absl::ToChronoNanoseconds(Limits().answer);
  bool sent = true;
  while (sent && !(first.empty() && second.empty())) {
    const absl::Duration left = absl::FromChrono(end - HttpChannel::Clock::now());
    if (left <= absl::ZeroDuration()) channel_->Abort();
    channel_->Expect(std::min(Limits().write, left));
    const std::string_view head = first.substr(0, kPieceBytes);
    first.remove_prefix(head.size());
    const std::string_view tail = second.substr(0, first.empty() ? kPieceBytes - head.size() : 0);
    second.remove_prefix(tail.size());
    sent = co_await channel_->Put(head, tail);
  }
  co_return sent;
}

void HttpConnection::DropBody() {
  OPENSSL_cleanse(request_.body.data(), request_.body.size());
  request_.body = std::string();
  shared_.buffered_bytes -= std::exchange(counted_bytes_, 0);
}

void HttpConnection::Forget() {
  DropBody();
  request_ = Request{};
  request_.remote_address = remote_address_;
  sent_before_ = channel_->bytes_sent();
  channel_->ReleaseMemory();
  if (output_.capacity() > kKeptBytes) output_ = std::string();
}

void HttpConnection::Record(const Answer& answer) const {
  if (!shared_.options.record) return;
  shared_.options.record({.request = request_,
                          .answer = answer,
                          .duration = absl::FromChrono(HttpChannel::Clock::now() - started_),
                          .bytes_sent = channel_->bytes_sent() - sent_before_,
                          .client_left = channel_->is_gone()});
}

}  // namespace keyferry::gateway

// Calls of the API, asynchronous, from coroutines. What the caller sent as authorization goes along as it is, and so
// does the request id: the API alone decides.
//
// Calls are tried again, once after 50 ms, only where the method is safe to repeat and the API said UNAVAILABLE with
// nothing received. A cancelled coroutine cancels its call, and one in Read its stream; it still goes on, with
// Cancelled, once gRPC has let go of the call.
//
// Thread safety: all methods from any thread, a stream's from one task at a time; a task resumes on its own executor,
// which outlives the call.
#ifndef KEYFERRY_SERVICES_GATEWAY_API_CALLS_H_
#define KEYFERRY_SERVICES_GATEWAY_API_CALLS_H_

#include <google/protobuf/message.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/gateway/exchange.h"

namespace keyferry::gateway {

enum class Repeat { kSafe, kUnsafe };

// One of the API's methods (api_methods.h has them all).
template <typename RequestT, typename ResponseT>
struct ApiMethod {
  // `/keyferry.v1.SecretSets/GetSecretSet`
  const char* path;
  Repeat repeat;
};

// How long a call may take where its handler says nothing else.
inline constexpr absl::Duration kCallTimeout = absl::Seconds(20);
// Live event streams in one gateway, and those of one Authorization value; more are RESOURCE_EXHAUSTED,
// TOO_MANY_STREAMS. Eight callers do not fill it.
inline constexpr int kMaxEventStreams = 512;
inline constexpr int kMaxEventStreamsPerCaller = kMaxEventStreams / 8 - 1;
// The same of WaitUntilReady; TOO_MANY_WAITS.
inline constexpr int kMaxWaits = 512;
inline constexpr int kMaxWaitsPerCaller = kMaxWaits / 8 - 1;

class ApiStream {
 public:
  // Cancels what still goes on.
  virtual ~ApiStream() = default;
  // False at the stream's end; its status is then in `status`, now and from then on.
  virtual asio::awaitable<bool> Read(google::protobuf::Message& message, absl::Status& status) = 0;
};

class ApiCalls {
 public:
  struct Options {
    // `host:port` or `unix:/path` of the API's edge door.
    std::string target;
    // PEM file with the roots for host:port; empty for a unix socket.
    std::string roots;
    // HTTP/2 connections for calls, each of at most 128 at a time; waits and streams have their own.
    int channel_count = 4;
    int thread_count = 2;
  };
  // InvalidArgument: roots that do not load, or none where TLS needs them. Connects lazily.
  static absl::StatusOr<std::unique_ptr<ApiCalls>> Create(Options options);
  // Cancels all calls and waits until gRPC has let go of them; their tasks resume with Cancelled. No task may start a
  // call after; a stream may outlive this, and fails.
  virtual ~ApiCalls() = default;

  // `caller`: its Authorization headers, id and address are passed on. Errors: the API's with their details; Unavailable
  // API_UNAVAILABLE (with a retry time), DeadlineExceeded API_TIMEOUT; Unauthenticated UNAUTHENTICATED, without a call,
  // for an Authorization that gRPC cannot carry or that is longer than any key; ResourceExhausted TOO_MANY_WAITS (with
  // a retry time) beyond kMaxWaits and kMaxWaitsPerCaller.
  template <typename RequestT, typename ResponseT>
  asio::awaitable<absl::StatusOr<ResponseT>> Call(const Request& caller, ApiMethod<RequestT, ResponseT> method,
                                                  RequestT request, absl::Duration timeout = kCallTimeout) {
    ResponseT response;
    const absl::Status status = co_await CallRaw(caller, method.path, method.repeat, request, response, timeout);
    if (!status.ok()) co_return status;
    co_return response;
  }
  virtual asio::awaitable<absl::Status> CallRaw(const Request& caller, const char* path, Repeat repeat,
                                                const google::protobuf::Message& request,
                                                google::protobuf::Message& response, absl::Duration timeout) = 0;
  // A server stream without deadline. Asks the API first whether it knows the caller. Errors as CallRaw, what the API
  // thinks of the request comes with the first Read; ResourceExhausted TOO_MANY_STREAMS beyond kMaxEventStreams and
  // kMaxEventStreamsPerCaller.
  virtual asio::awaitable<absl::StatusOr<std::unique_ptr<ApiStream>>> Open(
      const Request& caller, const char* path, const google::protobuf::Message& request) = 0;
  // The API's health service says SERVING, within two seconds.
  virtual asio::awaitable<bool> IsReady() = 0;
  virtual int stream_count() const = 0;
};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_API_CALLS_H_

#include "services/gateway/api_calls.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "libs/common/limits.h"
#include "libs/rpc/credentials.h"
#include "services/gateway/api_lane.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/api_stream.h"
#include "services/gateway/pending_call.h"

namespace keyferry::gateway {
namespace {

constexpr absl::Duration kRepeatDelay = absl::Milliseconds(50);
constexpr absl::Duration kReadyTimeout = absl::Seconds(2);
constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";
// HealthCheckResponse with field 1, status, SERVING.
constexpr std::string_view kServing("\x08\x01", 2);
constexpr ApiLane::Limits kWaitLimits{
    .calls = kMaxWaits, .calls_per_caller = kMaxWaitsPerCaller, .reason = "TOO_MANY_WAITS", .noun = "waits"};
constexpr ApiLane::Limits kStreamLimits{.calls = kMaxEventStreams,
                                        .calls_per_caller = kMaxEventStreamsPerCaller,
                                        .reason = "TOO_MANY_STREAMS",
                                        .noun = "event streams"};

// As many as hold them all.
constexpr int ConnectionsFor(const ApiLane::Limits& limits) {
  return (limits.calls + kMaxConcurrentStreams - 1) / kMaxConcurrentStreams;
}

class UnaryCall final : public PendingCall {
 public:
  using PendingCall::PendingCall;

  grpc::ByteBuffer reply;
  // Unless gRPC says something else: the queues have closed.
  grpc::Status status = grpc::Status::CANCELLED;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
};

// What calls use, for as long as one of them goes on.
struct Core {
  Core(const ApiCalls::Options& options, const std::shared_ptr<grpc::ChannelCredentials>& credentials)
      : calls(std::make_shared<ApiLane>(options.target, credentials, options.channel_count)),
        waits(std::make_shared<ApiLane>(options.target, credentials, ConnectionsFor(kWaitLimits), kWaitLimits)),
        streams(std::make_shared<ApiLane>(options.target, credentials, ConnectionsFor(kStreamLimits), kStreamLimits)),
        queues(std::make_shared<CallQueues>(options.thread_count)) {}

  ApiLane& LaneOf(std::string_view path) const { return path == kWaitUntilReady.path ? *waits : *calls; }

  const std::shared_ptr<ApiLane> calls;
  // Calls that take minutes would use up the connections of those that take none.
  const std::shared_ptr<ApiLane> waits;
  const std::shared_ptr<ApiLane> streams;
  const std::shared_ptr<CallQueues> queues;
};

// One attempt. caller: null for a call without one. repeat: whether there may be another.
asio::awaitable<absl::Status> Attempt(std::shared_ptr<Core> core, const Request* caller, const char* path,
                                      const grpc::ByteBuffer& request, grpc::ByteBuffer& reply, absl::Time deadline,
                                      Repeat repeat) {
  const absl::StatusOr<ApiLane::Turn> taken = core->LaneOf(path).Take(caller);
  if (!taken.ok()) co_return taken.status();
  const ApiLane::Turn& turn = *taken;
  const auto call = std::make_shared<UnaryCall>(core->queues, turn->index % core->queues->count());
  if (caller != nullptr) {
    absl::Status added = AddCaller(*caller, call->context());
    if (!added.ok()) co_return added;
  }
  call->context().set_deadline(absl::ToChronoTime(deadline));
  co_await call->Step([&](void* tag) {
    call->reader = turn->stub.PrepareUnaryCall(&call->context(), path, request, call->queue());
    call->reader->StartCall();
    call->reader->Finish(&call->reply, &call->status, tag);
  });
  reply.Swap(&call->reply);
  co_return StatusOfCall(call->status, call->cancelled(), repeat);
}

// False when the task was cancelled meanwhile.
asio::awaitable<bool> Pause(absl::Duration duration) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, absl::ToChronoNanoseconds(duration));
  const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return !error;
}

bool HoldsServing(const grpc::ByteBuffer& reply) {
  grpc::Slice slice;
  return reply.DumpToSingleSlice(&slice).ok() &&
         std::string_view(reinterpret_cast<const char*>(slice.begin()), slice.size()) == kServing;
}

class GrpcApiCalls final : public ApiCalls {
 public:
  explicit GrpcApiCalls(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ~GrpcApiCalls() override { core_->queues->Close(); }

  asio::awaitable<absl::Status> CallRaw(const Request& caller, const char* path, Repeat repeat,
                                        const google::protobuf::Message& request, google::protobuf::Message& response,
                                        absl::Duration timeout) override {
    const std::shared_ptr<Core> core = core_;
    const absl::Time deadline = absl::Now() + timeout;
    const absl::StatusOr<grpc::ByteBuffer> bytes = Serialize(request);
    if (!bytes.ok()) co_return bytes.status();
    grpc::ByteBuffer reply;
    absl::Status status = co_await Attempt(core, &caller, path, *bytes, reply, deadline, repeat);
    const bool again = absl::IsUnavailable(status) && repeat == Repeat::kSafe && absl::Now() + kRepeatDelay < deadline;
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return status;
    if (again) {
      const bool goes_on = co_await Pause(kRepeatDelay);
      if (!goes_on) co_return StatusOfCall(grpc::Status::CANCELLED, true, repeat);
      status = co_await Attempt(core, &caller, path, *bytes, reply, deadline, repeat);
    }
    if (status.ok()) status = Deserialize(reply, response);
    co_return status;
  }

  asio::awaitable<absl::StatusOr<std::unique_ptr<ApiStream>>> Open(const Request& caller, const char* path,
                                                                   const google::protobuf::Message& request) override {
    const std::shared_ptr<Core> core = core_;
    // Streams are few: one that the API will refuse must not hold a place, however briefly.
    const v1::WhoAmIRequest who;
    v1::WhoAmIResponse known;
    absl::Status identified = co_await CallRaw(caller, kWhoAmI.path, kWhoAmI.repeat, who, known, kCallTimeout);
    if (!identified.ok()) co_return identified;
    absl::StatusOr<std::unique_ptr<ApiStream>> stream =
        co_await OpenStream(caller, path, request, core->streams, core->queues);
    co_return stream;
  }

  asio::awaitable<bool> IsReady() override {
    const std::shared_ptr<Core> core = core_;
    const grpc::Slice nothing;
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer reply;
    const absl::Status status =
        co_await Attempt(core, nullptr, kHealthCheck, request, reply, absl::Now() + kReadyTimeout, Repeat::kSafe);
    co_return status.ok() && HoldsServing(reply);
  }

  int stream_count() const override { return core_->streams->call_count(); }

 private:
  const std::shared_ptr<Core> core_;
};

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsFor(const ApiCalls::Options& options) {
  if (options.target.starts_with("unix:")) return grpc::InsecureChannelCredentials();
  if (options.roots.empty()) {
    return absl::InvalidArgumentError("an API at host:port is reached by TLS, since API keys go there: give its roots");
  }
  auto credentials = TlsChannelCredentials({.roots = options.roots});
  if (!credentials.ok()) return absl::InvalidArgumentError(credentials.status().message());
  return credentials;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ApiCalls>> ApiCalls::Create(Options options) {
  if (options.target.empty() || options.channel_count < 1 || options.thread_count < 1)
    return absl::InvalidArgumentError("calls of the API need a target, a connection and a thread");
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials = CredentialsFor(options);
  if (!credentials.ok()) return credentials.status();
  return std::make_unique<GrpcApiCalls>(std::make_shared<Core>(options, *credentials));
}

}  // namespace keyferry::gateway

#include "services/gateway/api_stream.h"

namespace keyferry::gateway {
namespace {

class StreamCall final : public PendingCall {
 public:
  StreamCall(const std::shared_ptr<CallQueues>& queues, ApiLane::Turn taken)
      : PendingCall(queues, taken->index % queues->count()), turn(std::move(taken)) {}

  const ApiLane::Turn turn;
  absl::StatusOr<grpc::ByteBuffer> message;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
  grpc::Status status;
};

absl::Status Cancelled() { return StatusOfCall(grpc::Status::CANCELLED, true, Repeat::kSafe); }

// After a step that failed. REQUIRES: not cancelled; in a cancelled task co_await throws.
asio::awaitable<absl::Status> End(std::shared_ptr<StreamCall> call) {
  const bool finished = co_await call->Step([&](void* tag) { call->stream->Finish(&call->status, tag); });
  co_return finished ? StatusOfCall(call->status, call->cancelled(), Repeat::kSafe) : Cancelled();
}

class CallStream final : public ApiStream {
 public:
  explicit CallStream(std::shared_ptr<StreamCall> call) : call_(std::move(call)) {}
  ~CallStream() override {
    if (!ended_) call_->Cancel();
  }

  asio::awaitable<bool> Read(google::protobuf::Message& message, absl::Status& status) override {
    if (ended_) {
      status = end_;
      co_return false;
    }
    const std::shared_ptr<StreamCall> call = call_;
    const bool got = co_await call->Step([&](void* tag) { call->stream->Read(&*call->message, tag); });
    if (got) {
      end_ = Deserialize(*call->message, message);
      if (end_.ok()) co_return true;
      call->Cancel();
    } else if (call->cancelled()) {
      end_ = Cancelled();
    } else {
      end_ = co_await End(call);
    }
    ended_ = true;
    status = end_;
    co_return false;
  }

 private:
  const std::shared_ptr<StreamCall> call_;
  bool ended_ = false;
  absl::Status end_;
};

}  // namespace

asio::awaitable<absl::StatusOr<std::unique_ptr<ApiStream>>> OpenStream(const Request& caller, std::string path,
                                                                       const google::protobuf::Message& request,
                                                                       std::shared_ptr<ApiLane> lane,
                                                                       std::shared_ptr<CallQueues> queues) {
  absl::StatusOr<ApiLane::Turn> turn = lane->Take(&caller);
  if (!turn.ok()) co_return turn.status();
  const auto call = std::make_shared<StreamCall>(queues, *std::move(turn));
  call->message = Serialize(request);
  if (!call->message.ok()) co_return call->message.status();
  absl::Status added = AddCaller(caller, call->context());
  if (!added.ok()) co_return added;

  bool ok = co_await call->Step([&](void* tag) {
    call->stream = call->turn->stub.PrepareCall(&call->context(), path, call->queue());
    call->stream->StartCall(tag);
  });
  if (ok && !call->cancelled()) {
    ok = co_await call->Step([&](void* tag) { call->stream->WriteLast(*call->message, grpc::WriteOptions(), tag); });
  }
  if (call->cancelled()) co_return Cancelled();
  if (ok) co_return std::make_unique<CallStream>(call);
  absl::Status ended = co_await End(call);
  co_return ended.ok() ? absl::InternalError("the API ended a stream before it began") : std::move(ended);
}

}  // namespace keyferry::gateway

#include "cli/testing/fake_api.h"

#include <grpc/grpc.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry {
namespace {

constexpr char kPrefix[] = "/keyferry.v1.";

using Answer = std::function<absl::Status(grpc::GenericCallbackServerContext& context, const std::string& bytes,
                                          std::string& answer)>;

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

// One unary call.
class Reactor final : public grpc::ServerGenericBidiReactor {
 public:
  Reactor(grpc::GenericCallbackServerContext& context, const Answer& answer) : context_(context), answer_(answer) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::INTERNAL, "no request"));
    std::string bytes;
    const absl::Status status = answer_(context_, BytesOf(request_), bytes);
    if (!status.ok()) return Finish(ToGrpcStatus(status, "incident-1"));
    const grpc::Slice slice(bytes);
    response_ = grpc::ByteBuffer(&slice, 1);
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void OnDone() override {
    // gRPC may hand it to another thread, which nothing but this orders for who looks on (TSan).
    { const absl::MutexLock lock(&mutex_); }
    delete this;
  }

 private:
  grpc::GenericCallbackServerContext& context_;
  const Answer& answer_;
  absl::Mutex mutex_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(Answer answer) : answer_(std::move(answer)) {}

 private:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Reactor(*context, answer_);
  }
  const Answer answer_;
};

}  // namespace

struct FakeApi::State {
  absl::Mutex mutex;
  std::map<std::string, RawHandler> handlers ABSL_GUARDED_BY(mutex);
  std::vector<Call> calls ABSL_GUARDED_BY(mutex);
  std::unique_ptr<Service> service;
  std::unique_ptr<grpc::Server> server;

  absl::Status Handle(grpc::GenericCallbackServerContext& context, const std::string& bytes, std::string& answer) {
    const absl::MutexLock lock(&mutex);
    Call call{.rpc = std::string(absl::StripPrefix(context.method(), kPrefix))};
    for (const auto& [name, value] : context.client_metadata()) {
      if (name == "authorization") absl::StrAppend(&call.authorization, absl::string_view(value.data(), value.size()));
    }
    calls.push_back(call);
    const auto handler = handlers.find(call.rpc);
    if (handler == handlers.end()) return absl::UnimplementedError("this test does not answer " + call.rpc);
    return handler->second(bytes, answer);
  }
};

FakeApi::FakeApi(const std::string& socket_path) : state_(std::make_unique<State>()) {
  // Held for good: its last user would wait up to 10 s for the poller of the callback API.
  [[maybe_unused]] static const bool held = (grpc_init(), true);
  state_->service =
      std::make_unique<Service>([this](grpc::GenericCallbackServerContext& context, const std::string& bytes,
                                       std::string& answer) { return state_->Handle(context, bytes, answer); });
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket_path, grpc::InsecureServerCredentials());
  builder.RegisterCallbackGenericService(state_->service.get());
  state_->server = builder.BuildAndStart();
}

FakeApi::~FakeApi() { state_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1)); }

void FakeApi::SetRaw(const std::string& rpc, RawHandler handler) {
  const absl::MutexLock lock(&state_->mutex);
  state_->handlers[rpc] = std::move(handler);
}

std::vector<FakeApi::Call> FakeApi::calls() const {
  const absl::MutexLock lock(&state_->mutex);
  return state_->calls;
}

}  // namespace keyferry

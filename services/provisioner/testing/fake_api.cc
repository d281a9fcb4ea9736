#include "services/provisioner/testing/fake_api.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "keyferry/v1/provisioning.grpc.pb.h"

namespace keyferry {
namespace {

constexpr std::chrono::seconds kPatience(10);

class Stream final : public FakeStream, public grpc::ServerBidiReactor<v1::ProvisionerMessage, v1::ApiMessage> {
 public:
  explicit Stream(std::function<void(std::shared_ptr<Stream>)> on_hello) : on_hello_(std::move(on_hello)) {}

  // Lives until gRPC is through with it.
  static grpc::ServerBidiReactor<v1::ProvisionerMessage, v1::ApiMessage>* Serve(std::shared_ptr<Stream> stream) {
    stream->self_ = stream;
    stream->StartRead(&stream->incoming_);
    return stream.get();
  }

  const v1::Hello& hello() const override { return hello_; }

  v1::ProvisionerMessage Next(v1::ProvisionerMessage::MessageCase kind) override {
    std::unique_lock lock(mutex_);
    while (changed_.wait_for(lock, kPatience, [this] { return !received_.empty() || ended_; }) && !received_.empty()) {
      v1::ProvisionerMessage message = std::move(received_.front());
      received_.pop_front();
      if (message.message_case() == kind) return message;
      if (message.has_heartbeat() || message.has_progress()) continue;
      ADD_FAILURE() << "unexpected " << message.ShortDebugString();
      return {};
    }
    ADD_FAILURE() << "no message of kind " << kind;
    return {};
  }

  void Send(v1::ApiMessage message) override {
    std::lock_guard lock(mutex_);
    outgoing_.push_back(std::move(message));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  bool WaitForEnd() override {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [this] { return ended_; });
  }

  void End(const grpc::Status& status) override {
    std::lock_guard lock(mutex_);
    end_ = status;
    FinishIfDone();
  }

  void OnReadDone(bool ok) override {
    std::unique_lock lock(mutex_);
    if (!ok) {
      ended_ = true;
      changed_.notify_all();
      return;
    }
    const bool first = !greeted_;
    if (first) {
      hello_ = incoming_.hello();
      greeted_ = true;
    } else {
      received_.push_back(std::move(incoming_));
      changed_.notify_all();
    }
    incoming_.Clear();
    StartRead(&incoming_);
    lock.unlock();
    if (first) on_hello_(self_);
  }

  void OnWriteDone(bool) override {
    std::lock_guard lock(mutex_);
    outgoing_.pop_front();
    if (!outgoing_.empty()) return StartWrite(&outgoing_.front());
    FinishIfDone();
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }

  void OnDone() override {
    const std::shared_ptr<Stream> self = std::move(self_);
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

 private:
  void FinishIfDone() {
    if (!end_ || !outgoing_.empty() || finished_) return;
    finished_ = true;
    Finish(*end_);
  }

  const std::function<void(std::shared_ptr<Stream>)> on_hello_;
  std::shared_ptr<Stream> self_;
  v1::ProvisionerMessage incoming_;
  v1::Hello hello_;
  bool greeted_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<v1::ProvisionerMessage> received_;
  std::deque<v1::ApiMessage> outgoing_;
  std::optional<grpc::Status> end_;
  bool finished_ = false;
  bool ended_ = false;
};

class Api final : public FakeApi, public v1::Provisioning::CallbackService {
 public:
  explicit Api(int port) {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) port_ = 0;
  }

  ~Api() override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
  }

  int port() const override { return port_; }

  std::shared_ptr<FakeStream> Accept() override {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !accepted_.empty(); })) {
      ADD_FAILURE() << "no stream";
      return nullptr;
    }
    std::shared_ptr<FakeStream> stream = std::move(accepted_.front());
    accepted_.pop_front();
    return stream;
  }

  grpc::ServerBidiReactor<v1::ProvisionerMessage, v1::ApiMessage>* Sync(grpc::CallbackServerContext*) override {
    return Stream::Serve(std::make_shared<Stream>([this](std::shared_ptr<Stream> stream) {
      std::lock_guard lock(mutex_);
      accepted_.push_back(std::move(stream));
      changed_.notify_all();
    }));
  }

 private:
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<FakeStream>> accepted_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

std::unique_ptr<FakeApi> FakeApi::Start(int port) { return std::make_unique<Api>(port); }

std::shared_ptr<FakeStream> FakeApi::AcceptOwner(uint64_t epoch) {
  std::shared_ptr<FakeStream> stream = Accept();
  if (stream == nullptr) return nullptr;
  v1::ApiMessage message;
  message.mutable_welcome()->set_session_id("session");
  stream->Send(message);
  message.mutable_grant()->set_epoch(epoch);
  stream->Send(message);
  return stream;
}

std::shared_ptr<grpc::Channel> InsecureChannel(int port) {
  return grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
}

}  // namespace keyferry

#include "libs/rpc/callback_pulse.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace keyferry {
namespace {

class LameCallPulse final : public CallbackPulse {
 public:
  LameCallPulse() : thread_([this] { Beat(); }) {}

  ~LameCallPulse() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer request;
    grpc::ByteBuffer response;
  };

  void Beat() {
    std::unique_lock lock(mutex_);
    while (true) {
      if (!in_flight_) {
        in_flight_ = true;
        lock.unlock();
        PostEvent();
        lock.lock();
      }
      changed_.wait_for(lock, absl::ToChronoMilliseconds(kCallbackPulseInterval), [this] { return stopping_; });
      if (stopping_) break;
    }
    changed_.wait(lock, [this] { return !in_flight_; });
  }

  // A call on a channel without credentials fails at once, without a socket, and its end is an event of the callback
  // queue.
  void PostEvent() {
    call_ = std::make_unique<Call>();
    call_->request = grpc::ByteBuffer(nullptr, 0);
    stub_.UnaryCall(&call_->context, "/keyferry.Pulse/Beat", grpc::StubOptions(), &call_->request, &call_->response,
                    [this](grpc::Status) {
                      std::lock_guard lock(mutex_);
                      in_flight_ = false;
                      changed_.notify_all();
                    });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool in_flight_ = false;
  grpc::GenericStub stub_{grpc::CreateChannel("", nullptr)};
  std::unique_ptr<Call> call_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<CallbackPulse> CallbackPulse::Start() { return std::make_unique<LameCallPulse>(); }

}  // namespace keyferry

#include "services/provisioner/sync_stream.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "keyferry/v1/provisioning.grpc.pb.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry {
namespace {

// Messages received and not taken, at most; the credit window bounds them more tightly.
constexpr size_t kMaxReceived = 16;

class GrpcSyncStream final : public SyncStream,
                             public grpc::ClientBidiReactor<v1::ProvisionerMessage, v1::ApiMessage>,
                             public std::enable_shared_from_this<GrpcSyncStream> {
 public:
  GrpcSyncStream(std::shared_ptr<grpc::Channel> channel, Events events)
      : channel_(std::move(channel)), stub_(v1::Provisioning::NewStub(channel_)), events_(std::move(events)) {}

  void Start() {
    self_ = shared_from_this();
    stub_->async()->Sync(&context_, this);
    // For the writes and reads that are started from elsewhere; let go by CloseLocked.
    AddHold();
    StartRead(&incoming_);
    StartCall();
  }

  void Send(v1::ProvisionerMessage message) override {
    const absl::MutexLock lock(&mutex_);
    if (closed_ || finishing_) return;
    outgoing_.push_back(std::move(message));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  std::vector<v1::ApiMessage> Take() override {
    const absl::MutexLock lock(&mutex_);
    std::vector<v1::ApiMessage> taken = std::exchange(received_, {});
    if (read_paused_ && !closed_) {
      read_paused_ = false;
      StartRead(&incoming_);
    }
    return taken;
  }

  void FinishSending() override {
    const absl::MutexLock lock(&mutex_);
    if (closed_ || finishing_) return;
    finishing_ = true;
    if (outgoing_.empty()) StartWritesDone();
  }

  void Cancel() override {
    context_.TryCancel();
    const absl::MutexLock lock(&mutex_);
    CloseLocked();
  }

  void OnReadDone(bool ok) override {
    {
      const absl::MutexLock lock(&mutex_);
      if (!ok) {
        CloseLocked();
        return;
      }
      received_.push_back(std::move(incoming_));
      incoming_.Clear();
      read_paused_ = received_.size() >= kMaxReceived || closed_;
      if (!read_paused_) StartRead(&incoming_);
    }
    events_.on_readable();
  }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    outgoing_.pop_front();
    if (!ok) outgoing_.clear();
    if (!ok || closed_) return CloseLocked();
    // Another one follows for certain and takes this one along to the socket.
    if (outgoing_.size() > 1) return StartWrite(&outgoing_.front(), grpc::WriteOptions().set_buffer_hint());
    if (!outgoing_.empty()) return StartWrite(&outgoing_.front());
    if (finishing_) StartWritesDone();
  }

  void OnDone(const grpc::Status& status) override { events_.on_done(std::move(self_), FromGrpcStatus(status)); }

 private:
  void CloseLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (closed_) return;
    closed_ = true;
    RemoveHold();
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Provisioning::Stub> stub_;
  const Events events_;
  grpc::ClientContext context_;
  std::shared_ptr<SyncStream> self_;
  v1::ApiMessage incoming_;

  absl::Mutex mutex_;
  std::deque<v1::ProvisionerMessage> outgoing_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ApiMessage> received_ ABSL_GUARDED_BY(mutex_);
  bool read_paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::shared_ptr<SyncStream> SyncStream::Start(std::shared_ptr<grpc::Channel> channel, Events events) {
  auto stream = std::make_shared<GrpcSyncStream>(std::move(channel), std::move(events));
  stream->Start();
  return stream;
}

}  // namespace keyferry

#include "services/api/provisioning_service.h"

#include <deque>
#include <optional>
#include <string>

#include "absl/synchronization/mutex.h"
#include "keyferry/v1/provisioning.grpc.pb.h"
#include "libs/common/log.h"
#include "libs/model/names.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry {
namespace {

constexpr char kMethod[] = "Provisioning/Sync";

grpc::Status Convert(const absl::Status& status) {
  const std::string incident = NewUid();
  if (absl::IsInternal(status) || absl::IsDataLoss(status) || absl::IsUnknown(status)) {
    Log(Severity::kError, "incident", {{"incident", incident}, {"method", kMethod}, {"error", status}});
  }
  return ToGrpcStatus(status, incident);
}

using Reactor = grpc::ServerBidiReactor<v1::ProvisionerMessage, v1::ApiMessage>;

// Shared by the reactor, which gRPC deletes when it likes, and the session, which may speak after that. At most one write is outstanding;
// the reactor is called without the lock, and stays while a write is outstanding or Finish was not called.
class StreamTransport final : public SyncTransport {
 public:
  explicit StreamTransport(Reactor* reactor) : reactor_(reactor) {}

  void Send(const v1::ApiMessage& message) override {
    const v1::ApiMessage* first = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      if (status_ || broken_) return;
      queue_.push_back(message);
      if (writing_) return;
      writing_ = true;
      first = &queue_.front();
    }
    reactor_->StartWrite(first);
  }

  void Finish(absl::Status status) override {
    {
      absl::MutexLock lock(&mutex_);
      if (status_) return;
      status_ = std::move(status);
      if (writing_) return;
    }
    reactor_->Finish(Convert(Status()));
  }

  void Written(bool ok) {
    const v1::ApiMessage* next = nullptr;
    grpc::WriteOptions options;
    {
      absl::MutexLock lock(&mutex_);
      queue_.pop_front();
      if (!ok) {
        broken_ = true;
        queue_.clear();
      }
      writing_ = !queue_.empty();
      if (writing_) {
        next = &queue_.front();
        // Another one follows for certain and takes it along to the socket.
        if (queue_.size() > 1) options.set_buffer_hint();
      } else if (!status_) {
        return;
      }
    }
    next != nullptr ? reactor_->StartWrite(next, options) : reactor_->Finish(Convert(Status()));
  }

  // Called where Finish is, on the session's strand: what is not finished now is not finished during the call.
  void ReadInto(v1::ProvisionerMessage* message) {
    {
      absl::MutexLock lock(&mutex_);
      if (status_) return;
    }
    reactor_->StartRead(message);
  }

 private:
  absl::Status Status() {
    absl::MutexLock lock(&mutex_);
    return *status_;
  }

  Reactor* const reactor_;
  absl::Mutex mutex_;
  std::deque<v1::ApiMessage> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> status_ ABSL_GUARDED_BY(mutex_);
};

class SyncStream final : public Reactor {
 public:
  SyncStream(absl::StatusOr<Caller> caller, RegionDirectory& directory) : transport_(std::make_shared<StreamTransport>(this)) {
    StartSendInitialMetadata();
    absl::StatusOr<std::shared_ptr<RegionSession>> session =
        caller.ok() ? directory.Open(*caller, transport_) : absl::StatusOr<std::shared_ptr<RegionSession>>(caller.status());
    if (!session.ok()) {
      transport_->Finish(session.status());
      return;
    }
    session_ = *std::move(session);
    incoming_ = std::make_shared<v1::ProvisionerMessage>();
    StartRead(incoming_.get());
  }

  void OnReadDone(bool ok) override {
    if (!ok) return session_->HalfClosed();
    std::shared_ptr<const v1::ProvisionerMessage> message = std::move(incoming_);
    incoming_ = std::make_shared<v1::ProvisionerMessage>();
    session_->Received(std::move(message), [transport = transport_, next = incoming_.get()] { transport->ReadInto(next); });
  }

  void OnWriteDone(bool ok) override {
    transport_->Written(ok);
    session_->Sent();
  }

  void OnCancel() override {
    if (session_) session_->Disconnected();
  }

  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<StreamTransport> transport_;
  std::shared_ptr<RegionSession> session_;
  std::shared_ptr<v1::ProvisionerMessage> incoming_;
};

class ProvisioningService final : public v1::Provisioning::CallbackService {
 public:
  ProvisioningService(Guard& guard, RegionDirectory& directory) : guard_(guard), directory_(directory) {}

  Reactor* Sync(grpc::CallbackServerContext* context) override {
    return new SyncStream(guard_.Admit(*context, kMethod, ""), directory_);
  }

 private:
  Guard& guard_;
  RegionDirectory& directory_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewProvisioningService(Guard& guard, RegionDirectory& directory) {
  return std::make_unique<ProvisioningService>(guard, directory);
}

}  // namespace keyferry

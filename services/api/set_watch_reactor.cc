#include "services/api/set_watch_reactor.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "libs/common/log.h"
#include "libs/model/names.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/view_conversion.h"

namespace keyferry {
namespace {

constexpr char kMethod[] = "SecretSets/WatchSecretSets";

grpc::Status Convert(const absl::Status& status) {
  const bool hidden = absl::IsInternal(status) || absl::IsUnknown(status) || absl::IsDataLoss(status);
  if (!hidden) return ToGrpcStatus(status, "");
  const std::string incident = NewUid();
  Log(Severity::kError, "incident", {{"incident", incident}, {"method", kMethod}, {"error", status}});
  return ToGrpcStatus(status, incident);
}

// Shares the bytes.
grpc::ByteBuffer Sharing(const Said& said) {
  // gRPC never writes into it.
  void* const bytes = const_cast<char*>(said->data());
  const grpc::Slice slice(
      bytes, said->size(), [](void* shared) { delete static_cast<Said*>(shared); }, new Said(said));
  return {&slice, 1};
}

class RefusedWatch final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedWatch(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

class SetWatchReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  SetWatchReactor(const SetWatchDeps& deps, grpc::CallbackServerContext* context, const v1::WatchSecretSetsRequest& request)
      : deps_(deps),
        context_(context),
        organization_(request.organization()),
        watched_({.region = request.region(), .name = request.secret_set()}) {
    const absl::Status admitted = Admit();
    if (admitted.ok()) {
      // Before a write that gRPC may keep back: those keep back what is before them too.
      StartSendInitialMetadata();
      deps_.executor.Run([this] { Start(); });
    } else {
      Finish(Convert(admitted));
    }
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the stream ended"));
    WriteNext();
  }

  void OnCancel() override {
    std::shared_ptr<SetWatch> watch;
    {
      absl::MutexLock lock(&mutex_);
      cancelled_ = true;
      watch = watch_;
    }
    if (watch) watch->Cancel();
  }

  void OnDone() override { delete this; }

 private:
  void Start() {
    const std::shared_ptr<SetWatch> watch = deps_.feeds.Watch(watched_);
    bool cancelled = false;
    {
      absl::MutexLock lock(&mutex_);
      watch_ = watch;
      cancelled = cancelled_;
    }
    if (cancelled) watch->Cancel();
    credential_ = deps_.guard.OnCredentialEnd(caller_, [this](const absl::Status& ended) { EndCredential(ended); });
    AskNext();
  }

  // Before anything waits for a thread: G4.
  absl::Status Admit() {
    absl::StatusOr<Caller> caller = deps_.guard.Admit(*context_, kMethod, organization_);
    if (!caller.ok()) return caller.status();
    caller_ = *std::move(caller);
    watched_.organization = caller_.organization;
    absl::StatusOr<CallSlots::Slot> slot = deps_.slots.Take(watched_.organization, caller_.principal);
    if (!slot.ok()) return slot.status();
    slot_ = *std::move(slot);
    return absl::OkStatus();
  }

  // Called again as long as the stream is there: from the second time on, its reader takes nothing.
  void EndCredential(const absl::Status& ended) {
    std::shared_ptr<SetWatch> watch;
    bool again = false;
    {
      absl::MutexLock lock(&mutex_);
      again = ended_.has_value();
      ended_ = ended;
      watch = watch_;
    }
    watch->Cancel();
    if (again) context_->TryCancel();
  }

  void AskNext() {
    std::shared_ptr<SetWatch> watch;
    {
      absl::MutexLock lock(&mutex_);
      watch = watch_;
    }
    watch->Next([this](absl::StatusOr<std::vector<Said>> changes) { Write(std::move(changes)); });
  }

  void Write(absl::StatusOr<std::vector<Said>> changes) {
    if (!changes.ok()) return Finish(Convert(CredentialEnd().value_or(changes.status())));
    changes_ = *std::move(changes);
    written_ = 0;
    WriteNext();
  }

  // What others wait behind goes to the socket with them.
  void WriteNext() {
    if (const std::optional<absl::Status> ended = CredentialEnd()) return Finish(Convert(*ended));
    if (written_ == changes_.size()) return AskNext();
    buffer_ = Sharing(changes_[written_]);
    changes_[written_++] = nullptr;
    grpc::WriteOptions options;
    if (written_ < changes_.size()) options.set_buffer_hint();
    StartWrite(&buffer_, options);
  }

  std::optional<absl::Status> CredentialEnd() {
    absl::MutexLock lock(&mutex_);
    return ended_;
  }

  const SetWatchDeps deps_;
  grpc::CallbackServerContext* const context_;
  const std::string organization_;
  // Below: whose turn it is.
  Caller caller_;
  WatchedSets watched_;
  CallSlots::Slot slot_;
  std::vector<Said> changes_;
  size_t written_ = 0;
  grpc::ByteBuffer buffer_;

  absl::Mutex mutex_;
  std::shared_ptr<SetWatch> watch_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);

  // The first to go: it may be calling.
  std::shared_ptr<void> credential_;
};

}  // namespace

std::string SayOnTheWire(const SetChange& change) {
  v1::WatchSecretSetsResponse response;
  if (const auto* view = std::get_if<SecretSetView>(&change)) {
    ToProto(*view, *response.mutable_updated());
  } else if (const auto* deleted = std::get_if<SetDeleted>(&change)) {
    response.set_deleted(deleted->name);
  } else {
    response.set_snapshot_complete(true);
  }
  return response.SerializeAsString();
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* NewSetWatchReactor(const SetWatchDeps& deps, grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer& request) {
  v1::WatchSecretSetsRequest parsed;
  grpc::ByteBuffer bytes(request);
  const grpc::Status status = grpc::SerializationTraits<v1::WatchSecretSetsRequest>::Deserialize(&bytes, &parsed);
  if (!status.ok()) return new RefusedWatch(status);
  return new SetWatchReactor(deps, context, parsed);
}

}  // namespace keyferry

#include "services/api/set_watch_reactor.h"

#include <grpcpp/server_context.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/synchronization/mutex.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "libs/common/log.h"
#include "libs/model/names.h"
#include "libs/rpc/status_conversion.h"
#include "services/api/set_watch.h"
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

void Fill(const SetChange& change, v1::WatchSecretSetsResponse& response) {
  response.Clear();
  if (const auto* view = std::get_if<SecretSetView>(&change)) return ToProto(*view, *response.mutable_updated());
  if (const auto* deleted = std::get_if<SetDeleted>(&change)) return response.set_deleted(deleted->name);
  response.set_snapshot_complete(true);
}

class SetWatchReactor final : public grpc::ServerWriteReactor<v1::WatchSecretSetsResponse> {
 public:
  SetWatchReactor(Guard& guard, const UseCaseDeps& deps, CallSlots& slots, grpc::CallbackServerContext* context,
                  const v1::WatchSecretSetsRequest& request)
      : guard_(guard),
        deps_(deps),
        slots_(slots),
        context_(context),
        organization_(request.organization()),
        watched_({.region = request.region(), .name = request.secret_set()}) {
    const absl::Status admitted = Admit();
    if (admitted.ok()) {
      deps_.writer.executor.Run([this] { Start(); });
    } else {
      Finish(Convert(admitted));
    }
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the stream ended"));
    AskNext();
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
    const std::shared_ptr<SetWatch> watch = SetWatch::Create(deps_, watched_);
    bool cancelled = false;
    {
      absl::MutexLock lock(&mutex_);
      watch_ = watch;
      cancelled = cancelled_;
    }
    if (cancelled) watch->Cancel();
    credential_ = guard_.OnCredentialEnd(caller_, [this](const absl::Status& ended) { EndCredential(ended); });
    AskNext();
  }

  // Before anything waits for a thread: G4.
  absl::Status Admit() {
    absl::StatusOr<Caller> caller = guard_.Admit(*context_, kMethod, organization_);
    if (!caller.ok()) return caller.status();
    caller_ = *std::move(caller);
    watched_.organization = caller_.organization;
    absl::StatusOr<CallSlots::Slot> slot = slots_.Take(watched_.organization, caller_.principal);
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
    watch->Next([this](const absl::StatusOr<SetChange>& change) { Write(change); });
  }

  void Write(const absl::StatusOr<SetChange>& change) {
    if (const std::optional<absl::Status> ended = CredentialEnd()) return Finish(Convert(*ended));
    if (!change.ok()) return Finish(Convert(change.status()));
    Fill(*change, response_);
    StartWrite(&response_);
  }

  std::optional<absl::Status> CredentialEnd() {
    absl::MutexLock lock(&mutex_);
    return ended_;
  }

  Guard& guard_;
  const UseCaseDeps deps_;
  CallSlots& slots_;
  grpc::CallbackServerContext* const context_;
  const std::string organization_;
  // Below: whose turn it is.
  Caller caller_;
  WatchedSets watched_;
  CallSlots::Slot slot_;
  v1::WatchSecretSetsResponse response_;

  absl::Mutex mutex_;
  std::shared_ptr<SetWatch> watch_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);

  // The first to go: it may be calling.
  std::shared_ptr<void> credential_;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchSecretSetsResponse>* NewSetWatchReactor(Guard& guard, const UseCaseDeps& deps,
                                                                          CallSlots& slots,
                                                                          grpc::CallbackServerContext* context,
                                                                          const v1::WatchSecretSetsRequest& request) {
  return new SetWatchReactor(guard, deps, slots, context, request);
}

}  // namespace keyferry

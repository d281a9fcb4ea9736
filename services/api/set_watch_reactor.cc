#include "services/api/set_watch_reactor.h"

#include <memory>
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
constexpr absl::Duration kAdmissionLifetime = absl::Seconds(5);

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
  SetWatchReactor(Guard& guard, const UseCaseDeps& deps, SetWatchSlots& slots, grpc::CallbackServerContext* context,
                  const v1::WatchSecretSetsRequest& request)
      : guard_(guard),
        deps_(deps),
        slots_(slots),
        context_(context),
        organization_(request.organization()),
        watched_({.region = request.region(), .name = request.secret_set()}) {
    deps_.writer.executor.Run([this] { Start(); });
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
    const absl::Status admitted = Admit();
    if (!admitted.ok()) return Finish(Convert(admitted));
    absl::StatusOr<SetWatchSlots::Slot> slot = slots_.Take(watched_.organization);
    if (!slot.ok()) return Finish(Convert(slot.status()));
    slot_ = *std::move(slot);
    const std::shared_ptr<SetWatch> watch = SetWatch::Create(deps_, watched_);
    bool cancelled = false;
    {
      absl::MutexLock lock(&mutex_);
      watch_ = watch;
      cancelled = cancelled_;
    }
    if (cancelled) watch->Cancel();
    AskNext();
  }

  absl::Status Admit() {
    const absl::StatusOr<Caller> caller = guard_.Admit(*context_, kMethod, organization_);
    if (!caller.ok()) return caller.status();
    watched_.organization = caller->organization;
    admitted_ = deps_.clock.Monotonic();
    return absl::OkStatus();
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
    if (!change.ok()) return Finish(Convert(change.status()));
    if (deps_.clock.Monotonic() - admitted_ >= kAdmissionLifetime) {
      if (const absl::Status admitted = Admit(); !admitted.ok()) return Finish(Convert(admitted));
    }
    Fill(*change, response_);
    StartWrite(&response_);
  }

  Guard& guard_;
  const UseCaseDeps deps_;
  SetWatchSlots& slots_;
  grpc::CallbackServerContext* const context_;
  const std::string organization_;
  // Below: whose turn it is.
  WatchedSets watched_;
  SetWatchSlots::Slot slot_;
  absl::Duration admitted_;
  v1::WatchSecretSetsResponse response_;

  absl::Mutex mutex_;
  std::shared_ptr<SetWatch> watch_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchSecretSetsResponse>* NewSetWatchReactor(Guard& guard, const UseCaseDeps& deps,
                                                                          SetWatchSlots& slots,
                                                                          grpc::CallbackServerContext* context,
                                                                          const v1::WatchSecretSetsRequest& request) {
  return new SetWatchReactor(guard, deps, slots, context, request);
}

}  // namespace keyferry

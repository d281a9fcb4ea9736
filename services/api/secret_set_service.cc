#include "services/api/secret_set_service.h"

#include <utility>
#include <vector>

#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/rpc/model_conversion.h"
#include "services/api/call_slots.h"
#include "services/api/secret_sets.h"
#include "services/api/set_wait.h"
#include "services/api/set_watch_reactor.h"
#include "services/api/view_conversion.h"

namespace keyferry {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

template <typename Request>
SetWrite WriteOf(const Caller& caller, const Request& request) {
  return {.organization = caller.organization,
          .name = request.secret_set(),
          .author = caller.principal,
          .conditions = {
              .etag = request.etag(), .request_id = request.request_id(), .validate_only = request.validate_only()}};
}

std::vector<SecretValue> ValuesOf(const v1::SetSecretsRequest& request) {
  std::vector<SecretValue> values;
  for (const v1::SecretEntry& entry : request.entries()) {
    values.push_back({.key = entry.key(), .value = SecretBytes::Copy(entry.value())});
  }
  return values;
}

SecretSets::Done Answering(v1::SetSecretsResponse* response, Guard::Done done) {
  return [response, done = std::move(done)](const absl::StatusOr<SetWriteAnswer>& answer) {
    if (answer.ok()) {
      ToProto(answer->view, *response->mutable_secret_set());
      response->set_changed(answer->changed);
    }
    done(answer.status());
  };
}

std::function<void(absl::StatusOr<SecretSetView>)> Answering(v1::SecretSet* response, Guard::Done done) {
  return [response, done = std::move(done)](const absl::StatusOr<SecretSetView>& view) {
    if (view.ok()) ToProto(*view, *response);
    done(view.status());
  };
}

// A watch's changes are bytes that many streams share.
using ServiceOfBytes = v1::SecretSets::WithRawCallbackMethod_WatchSecretSets<v1::SecretSets::CallbackService>;

class SecretSetsService final : public ServiceOfBytes {
 public:
  SecretSetsService(Guard& guard, const UseCaseDeps& deps) : guard_(guard), deps_(deps), sets_(deps), feeds_(deps, SayOnTheWire) {}

  ServerUnaryReactor* SetSecrets(CallbackServerContext* context, const v1::SetSecretsRequest* request,
                                 v1::SetSecretsResponse* response) override {
    return guard_.Run(context, "SecretSets/SetSecrets", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        sets_.Set(WriteOf(caller, *request), request->region(),
                                  request->replace_all() ? SetMode::kReplaceAll : SetMode::kMerge, ValuesOf(*request),
                                  Answering(response, std::move(done)));
                      });
  }

  ServerUnaryReactor* SetImagePullSecret(CallbackServerContext* context, const v1::SetImagePullSecretRequest* request,
                                         v1::SetSecretsResponse* response) override {
    return guard_.Run(context, "SecretSets/SetImagePullSecret", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        sets_.SetImagePullSecret(WriteOf(caller, *request), request->region(), request->host(),
                                                 SecretBytes::Copy(request->auth()),
                                                 Answering(response, std::move(done)));
                      });
  }

  ServerUnaryReactor* GetSecretSet(CallbackServerContext* context, const v1::GetSecretSetRequest* request,
                                   v1::SecretSet* response) override {
    return guard_.Run(context, "SecretSets/GetSecretSet", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        Answering(response, std::move(done))(GetSet(deps_, caller.organization, request->secret_set()));
                      });
  }

  ServerUnaryReactor* ListSecretSets(CallbackServerContext* context, const v1::ListSecretSetsRequest* request,
                                     v1::ListSecretSetsResponse* response) override {
    return guard_.Run(context, "SecretSets/ListSecretSets", request->organization(),
                      [=, this](const Caller& caller, const Guard::Done& done) {
                        const absl::StatusOr<SecretSetPage> page =
                            ListSets(deps_, {.organization = caller.organization,
                                             .region = request->region(),
                                             .page_size = request->page_size(),
                                             .page_token = request->page_token()});
                        if (!page.ok()) return done(page.status());
                        for (const SecretSetView& view : page->sets) ToProto(view, *response->add_secret_sets());
                        response->set_next_page_token(page->next_page_token);
                        done(absl::OkStatus());
                      });
  }

  using ServiceOfBytes::WatchSecretSets;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchSecretSets(CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return NewSetWatchReactor({guard_, deps_.writer.executor, feeds_, watch_slots_}, context, *request);
  }

  ServerUnaryReactor* WaitUntilReady(CallbackServerContext* context, const v1::WaitUntilReadyRequest* request,
                                     v1::SecretSet* response) override {
    return guard_.Run(context, "SecretSets/WaitUntilReady", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        const auto slot = wait_slots_.Take(caller.organization, caller.principal);
                        if (!slot.ok()) return done(slot.status());
                        keyferry::WaitUntilReady(deps_,
                                                 {.organization = caller.organization,
                                                  .name = request->secret_set(),
                                                  .generation = request->generation(),
                                                  .timeout = absl::Seconds(request->timeout().seconds()) +
                                                             absl::Nanoseconds(request->timeout().nanos()),
                                                  .cancelled = [context] { return context->IsCancelled(); },
                                                  .check_caller = [this, caller] { return guard_.CheckCredential(caller); }},
                                                 Answering(response, [slot = *slot, done = std::move(done)](
                                                                         const absl::Status& status) { done(status); }));
                      });
  }

  ServerUnaryReactor* UnsetSecret(CallbackServerContext* context, const v1::UnsetSecretRequest* request,
                                  v1::SetSecretsResponse* response) override {
    return guard_.Run(context, "SecretSets/UnsetSecret", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        sets_.Unset(WriteOf(caller, *request), request->key(), Answering(response, std::move(done)));
                      });
  }

  ServerUnaryReactor* DeleteSecretSet(CallbackServerContext* context, const v1::DeleteSecretSetRequest* request,
                                      v1::DeleteSecretSetResponse*) override {
    return guard_.Run(context, "SecretSets/DeleteSecretSet", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        sets_.Delete(WriteOf(caller, *request), request->force(), std::move(done));
                      });
  }

  ServerUnaryReactor* ListGenerations(CallbackServerContext* context, const v1::ListGenerationsRequest* request,
                                      v1::ListGenerationsResponse* response) override {
    return guard_.Run(context, "SecretSets/ListGenerations", request->organization(),
                      [=, this](const Caller& caller, const Guard::Done& done) {
                        const absl::StatusOr<std::vector<Generation>> generations =
                            keyferry::ListGenerations(deps_, caller.organization, request->secret_set());
                        if (!generations.ok()) return done(generations.status());
                        for (const Generation& generation : *generations)
                          ToProto(generation, *response->add_generations());
                        done(absl::OkStatus());
                      });
  }

  ServerUnaryReactor* RollbackSecretSet(CallbackServerContext* context, const v1::RollbackSecretSetRequest* request,
                                        v1::SetSecretsResponse* response) override {
    return guard_.Run(context, "SecretSets/RollbackSecretSet", request->organization(),
                      [=, this](const Caller& caller, Guard::Done done) {
                        sets_.Rollback(WriteOf(caller, *request), request->generation(),
                                       Answering(response, std::move(done)));
                      });
  }

 private:
  Guard& guard_;
  const UseCaseDeps deps_;
  const SecretSets sets_;
  SetFeeds feeds_;
  CallSlots watch_slots_{kWatchSlots};
  CallSlots wait_slots_{kWaitSlots};
};

}  // namespace

std::unique_ptr<grpc::Service> NewSecretSetsService(Guard& guard, const UseCaseDeps& deps) {
  return std::make_unique<SecretSetsService>(guard, deps);
}

}  // namespace keyferry

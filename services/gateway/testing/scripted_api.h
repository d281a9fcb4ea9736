// A real gRPC server behind the house's own door that does what a test tells it.
//
// Thread safety: what is scripted is set before calls come; counters from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_TESTING_SCRIPTED_API_H_
#define KEYFERRY_SERVICES_GATEWAY_TESTING_SCRIPTED_API_H_

#include <grpcpp/security/server_credentials.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "keyferry/v1/organizations.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/server.h"
#include "libs/rpc/status_conversion.h"

namespace keyferry::gateway {

class ScriptedApi {
 public:
  ScriptedApi() { Start(); }

  void Start() {
    server_ =
        *RpcServer::Start({&sets_, &organizations_}, {Door{{.address = target()}, grpc::InsecureServerCredentials()}});
  }
  void Stop() { server_.reset(); }
  void SetServing(bool serving) { server_->SetServing(serving); }
  std::string target() const { return "unix:" + directory_.File("api"); }

  // Of each unary method but WhoAmI; `call`: 1 for the first.
  std::function<absl::Status(int call)> answer = [](int) { return absl::OkStatus(); };
  // Of WhoAmI, at once.
  absl::Status known;
  // Unary calls do not answer until they are cancelled.
  bool hangs = false;
  // What each stream sends before it ends with stream_status; it does not end when it hangs.
  std::vector<std::string> streamed;
  absl::Status stream_status;
  bool stream_hangs = false;

  // Without WhoAmI.
  std::atomic<int> call_count = 0;
  std::atomic<int> cancelled_count = 0;
  std::atomic<int> who_am_i_count = 0;
  std::atomic<int> stream_count = 0;
  std::atomic<int> cancelled_stream_count = 0;

  // Values of a metadata key in the last WhoAmI.
  std::multiset<std::string> Metadata(const std::string& key) {
    const absl::MutexLock lock(&mutex_);
    const auto [first, last] = metadata_.equal_range(key);
    std::multiset<std::string> values;
    for (auto entry = first; entry != last; ++entry) values.insert(entry->second);
    return values;
  }

 private:
  grpc::Status Answer(grpc::ServerContext& context) {
    const int call = ++call_count;
    if (!hangs) return ToGrpcStatus(answer(call), "12ab");
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
    ++cancelled_count;
    return grpc::Status::CANCELLED;
  }

  class Watch final : public grpc::ServerWriteReactor<v1::WatchSecretSetsResponse> {
   public:
    explicit Watch(ScriptedApi& api) : api_(api) {
      ++api_.stream_count;
      Next();
    }

   private:
    void Next() {
      if (sent_ < api_.streamed.size()) {
        message_.set_deleted(api_.streamed[sent_++]);
        return StartWrite(&message_);
      }
      if (!api_.stream_hangs) EndOnce(ToGrpcStatus(api_.stream_status, "12ab"));
    }
    void OnWriteDone(bool ok) override { ok ? Next() : EndOnce(grpc::Status::CANCELLED); }
    void OnCancel() override {
      ++api_.cancelled_stream_count;
      EndOnce(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }
    void EndOnce(grpc::Status status) {
      if (!ended_.exchange(true)) Finish(std::move(status));
    }

    ScriptedApi& api_;
    v1::WatchSecretSetsResponse message_;
    size_t sent_ = 0;
    std::atomic<bool> ended_ = false;
  };

  struct Sets final : v1::SecretSets::WithCallbackMethod_WatchSecretSets<v1::SecretSets::Service> {
    explicit Sets(ScriptedApi& owner) : api(owner) {}
    grpc::Status GetSecretSet(grpc::ServerContext* context, const v1::GetSecretSetRequest* request,
                              v1::SecretSet* response) override {
      response->set_name(request->secret_set());
      return api.Answer(*context);
    }
    grpc::Status WaitUntilReady(grpc::ServerContext* context, const v1::WaitUntilReadyRequest*,
                                v1::SecretSet*) override {
      return api.Answer(*context);
    }
    grpc::Status SetSecrets(grpc::ServerContext* context, const v1::SetSecretsRequest*,
                            v1::SetSecretsResponse*) override {
      return api.Answer(*context);
    }
    grpc::ServerWriteReactor<v1::WatchSecretSetsResponse>* WatchSecretSets(grpc::CallbackServerContext*,
                                                                           const v1::WatchSecretSetsRequest*) override {
      return new Watch(api);
    }
    ScriptedApi& api;
  };

  struct Organizations final : v1::Organizations::Service {
    explicit Organizations(ScriptedApi& owner) : api(owner) {}
    grpc::Status WhoAmI(grpc::ServerContext* context, const v1::WhoAmIRequest*, v1::WhoAmIResponse*) override {
      ++api.who_am_i_count;
      const absl::MutexLock lock(&api.mutex_);
      api.metadata_.clear();
      for (const auto& [key, value] : context->client_metadata())
        api.metadata_.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
      return ToGrpcStatus(api.known, "12ab");
    }
    ScriptedApi& api;
  };

  const TempDir directory_;
  Sets sets_{*this};
  Organizations organizations_{*this};
  absl::Mutex mutex_;
  std::multimap<std::string, std::string> metadata_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<RpcServer> server_;
};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_TESTING_SCRIPTED_API_H_

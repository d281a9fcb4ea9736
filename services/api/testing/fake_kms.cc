#include "services/api/testing/fake_kms.h"

#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "kms/v2/api.grpc.pb.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

constexpr absl::Duration kCutPatience = absl::Milliseconds(10);

class LyingKms final : public FakeKms, public v2::KeyManagementService::Service {
 public:
  explicit LyingKms(std::string socket_path) : path_(std::move(socket_path)) {
    keys_.emplace("key-1", SecretBytes::Random(kKeyBytes));
    Return();
  }
  ~LyingKms() override { Die(); }

  void Tell(KmsLies lies) override {
    absl::MutexLock lock(&mutex_);
    lies_ = std::move(lies);
  }
  void Rotate(const std::string& key_id) override {
    absl::MutexLock lock(&mutex_);
    keys_.emplace(key_id, SecretBytes::Random(kKeyBytes));
    current_ = key_id;
  }
  void Die() override {
    if (server_ == nullptr) return;
    {
      absl::MutexLock lock(&mutex_);
      dead_ = true;
    }
    server_->Shutdown(absl::ToChronoTime(absl::Now() + kCutPatience));
    server_->Wait();
    server_ = nullptr;
    unlink(path_.c_str());
  }
  void Return() override {
    {
      absl::MutexLock lock(&mutex_);
      dead_ = false;
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + path_, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    chmod(path_.c_str(), 0600);
  }

  std::vector<KmsCall> calls() const override {
    absl::MutexLock lock(&mutex_);
    return calls_;
  }
  int CountOf(const std::string& method) const override {
    absl::MutexLock lock(&mutex_);
    return std::count_if(calls_.begin(), calls_.end(), [&](const KmsCall& call) { return call.method == method; });
  }
  int peak() const override {
    absl::MutexLock lock(&mutex_);
    return peak_;
  }

  grpc::Status Status(grpc::ServerContext* context, const v2::StatusRequest*, v2::StatusResponse* answer) override {
    const KmsLies lies = Begin(context, {.method = "Status"});
    absl::MutexLock lock(&mutex_);
    --running_;
    answer->set_version(lies.version.value_or("v2"));
    answer->set_healthz(lies.healthz.value_or("ok"));
    answer->set_key_id(lies.status_key_id.value_or(current_));
    return lies.fails ? grpc::Status(grpc::StatusCode::INTERNAL, "told to") : grpc::Status::OK;
  }

  grpc::Status Encrypt(grpc::ServerContext* context, const v2::EncryptRequest* request,
                       v2::EncryptResponse* answer) override {
    const KmsLies lies =
        Begin(context, {.method = "Encrypt", .uid = request->uid(), .plaintext = request->plaintext()});
    absl::MutexLock lock(&mutex_);
    --running_;
    if (lies.fails) return {grpc::StatusCode::INTERNAL, "cannot encrypt " + request->plaintext()};
    const std::map<std::string, std::string> annotations =
        lies.annotations.value_or(std::map<std::string, std::string>{{"kms.example.com", "an annotation"}});
    for (const auto& [key, value] : annotations) (*answer->mutable_annotations())[key] = value;
    answer->set_key_id(lies.encrypt_key_id.value_or(current_));
    const std::string sealed =
        lies.encrypts ? SealFrame(keys_.at(current_), request->plaintext(), "") : request->plaintext();
    answer->set_ciphertext(lies.ciphertext.value_or(sealed));
    return grpc::Status::OK;
  }

  grpc::Status Decrypt(grpc::ServerContext* context, const v2::DecryptRequest* request,
                       v2::DecryptResponse* answer) override {
    const KmsLies lies =
        Begin(context, {.method = "Decrypt",
                        .uid = request->uid(),
                        .key_id = request->key_id(),
                        .annotations = {request->annotations().begin(), request->annotations().end()}});
    absl::MutexLock lock(&mutex_);
    --running_;
    if (lies.fails) return {grpc::StatusCode::INTERNAL, "cannot decrypt"};
    const auto key = keys_.find(request->key_id());
    if (key == keys_.end()) return {grpc::StatusCode::NOT_FOUND, "no such key"};
    const auto opened =
        lies.encrypts ? OpenFrame(key->second, request->ciphertext(), "") : SecretBytes::Copy(request->ciphertext());
    if (!opened.ok()) return {grpc::StatusCode::INTERNAL, "does not open"};
    const std::string plaintext(opened->Access());
    answer->set_plaintext(lies.plaintext ? lies.plaintext(plaintext) : plaintext);
    return grpc::Status::OK;
  }

 private:
  KmsLies Begin(const grpc::ServerContext* context, KmsCall call) {
    KmsLies lies;
    call.authority =
        std::string(context->ExperimentalGetAuthority().data(), context->ExperimentalGetAuthority().size());
    {
      absl::MutexLock lock(&mutex_);
      calls_.push_back(std::move(call));
      peak_ = std::max(peak_, ++running_);
      lies = lies_;
    }
    const absl::Time end = absl::Now() + lies.delay;
    absl::MutexLock lock(&mutex_);
    // The dead do not answer.
    if (mutex_.AwaitWithDeadline(absl::Condition(&dead_), end)) {
      while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    }
    return lies;
  }

  const std::string path_;
  mutable absl::Mutex mutex_;
  std::map<std::string, SecretBytes> keys_ ABSL_GUARDED_BY(mutex_);
  std::string current_ ABSL_GUARDED_BY(mutex_) = "key-1";
  KmsLies lies_ ABSL_GUARDED_BY(mutex_);
  std::vector<KmsCall> calls_ ABSL_GUARDED_BY(mutex_);
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  int peak_ ABSL_GUARDED_BY(mutex_) = 0;
  bool dead_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

std::unique_ptr<FakeKms> FakeKms::Start(std::string socket_path) {
  return std::make_unique<LyingKms>(std::move(socket_path));
}

}  // namespace keyferry

#include "services/api/kms_root_keys.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

constexpr absl::Duration kStartInterval = absl::Seconds(1);
constexpr size_t kDigestBytes = 32;

std::string DigestOf(std::string_view context, std::string_view key_id, std::string_view key) {
  const SecretBytes input = SecretBytes::Take(JoinParts({"keyferry/kms/v1", context, key_id, key}));
  return Sha256(input.Access());
}

SecretBytes WithDigest(const SecretBytes& key, std::string_view digest) {
  std::string plaintext;
  plaintext.reserve(digest.size() + key.size());
  plaintext.append(digest).append(key.Access());
  return SecretBytes::Take(std::move(plaintext));
}

double Random() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(engine);
}

absl::Status Unavailable(std::string_view message) {
  return MakeError(absl::StatusCode::kUnavailable, message,
                   {.reason = "KMS_UNAVAILABLE", .retry_after = kKmsUnhealthyStatusInterval});
}

// For every caller, so it tells nothing of the installation.
absl::Status KmsUnavailable() {
  return Unavailable(
      "the key management service does not answer; keys that it opened before serve on, the others and new ones wait "
      "for it");
}

class PolledKmsRootKeys final : public KmsRootKeys {
 public:
  PolledKmsRootKeys(KmsClient& client, bool keeps_asking) : client_(client) {
    if (keeps_asking) poller_ = std::thread([this] { Poll(); });
  }

  ~PolledKmsRootKeys() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (poller_.joinable()) poller_.join();
  }

  std::string_view provider() const override { return "kms"; }

  absl::StatusOr<std::string> CurrentId() override {
    ASSIGN_OR_RETURN(const std::string key_id, HealthyKeyId());
    return absl::StrCat(Abseil(kKmsKeyIdPrefix), key_id);
  }

  absl::StatusOr<RootWrapped> Wrap(const SecretBytes& key, std::string_view context) override {
    ASSIGN_OR_RETURN(std::string key_id, HealthyKeyId());
    absl::StatusOr<KmsCiphertext> wrapped = WrapBy(key_id, key, context);
    if (absl::IsAborted(wrapped.status())) {
      (void)Refresh();
      ASSIGN_OR_RETURN(key_id, HealthyKeyId());
      wrapped = WrapBy(key_id, key, context);
    }
    if (!wrapped.ok()) {
      Log(Severity::kError, "kms_wrap_failed", {{"error", wrapped.status()}});
      return KmsUnavailable();
    }
    return RootWrapped{.root_key_id = absl::StrCat(Abseil(kKmsKeyIdPrefix), wrapped->key_id),
                       .bytes = std::move(wrapped->bytes),
                       .annotations = std::move(wrapped->annotations)};
  }

  absl::StatusOr<SecretBytes> Unwrap(const RootWrapped& wrapped, std::string_view context) override {
    if (!wrapped.root_key_id.starts_with(kKmsKeyIdPrefix)) {
      return absl::FailedPreconditionError(absl::StrCat("root key ", wrapped.root_key_id, " is not of a KMS"));
    }
    const KmsCiphertext ciphertext{.key_id = wrapped.root_key_id.substr(kKmsKeyIdPrefix.size()),
                                   .bytes = wrapped.bytes,
                                   .annotations = wrapped.annotations};
    return UnwrapBy(ciphertext, context);
  }

  absl::Status Health() override {
    std::lock_guard lock(mutex_);
    return problem_.ok() ? absl::OkStatus() : Unavailable(std::string(problem_.message()));
  }

  absl::Status Refresh() override {
    const absl::StatusOr<std::string> key_id = client_.FetchKeyId();
    Learn(key_id);
    return key_id.status();
  }

  absl::Status AwaitHealthy(absl::Duration patience) override {
    const absl::Time end = absl::Now() + patience;
    while (true) {
      const absl::Status status = Refresh();
      if (status.ok() || absl::IsFailedPrecondition(status) || absl::Now() + kStartInterval > end) return status;
      absl::SleepFor(kStartInterval);
    }
  }

 private:
  static absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

  absl::StatusOr<std::string> HealthyKeyId() {
    std::lock_guard lock(mutex_);
    if (!problem_.ok()) return KmsUnavailable();
    return key_id_;
  }

  // Aborted: by another key than this.
  absl::StatusOr<KmsCiphertext> WrapBy(const std::string& key_id, const SecretBytes& key, std::string_view context) {
    const SecretBytes plaintext = WithDigest(key, DigestOf(context, key_id, key.Access()));
    ASSIGN_OR_RETURN(KmsCiphertext wrapped, Try<KmsCiphertext>([&] { return client_.Encrypt(plaintext); }));
    if (wrapped.key_id != key_id) {
      return absl::AbortedError(absl::StrCat("the KMS plugin encrypts by key `", Printable(wrapped.key_id),
                                             "`, but its Status says `", Printable(key_id), "`"));
    }
    if (wrapped.bytes.find(key.Access()) != std::string::npos)
      return absl::UnavailableError("the KMS plugin does not encrypt: the key is in its ciphertext");
    const absl::StatusOr<SecretBytes> opened = UnwrapBy(wrapped, context);
    if (absl::IsUnavailable(opened.status())) return opened.status();
    if (!opened.ok() || !opened->Equals(key))
      return absl::UnavailableError("the KMS plugin does not give back what it encrypted");
    return wrapped;
  }

  absl::StatusOr<SecretBytes> UnwrapBy(const KmsCiphertext& ciphertext, std::string_view context) {
    absl::StatusOr<SecretBytes> plaintext = Try<SecretBytes>([&] { return client_.Decrypt(ciphertext); });
    if (!plaintext.ok()) return KmsUnavailable();
    const std::string_view bytes = plaintext->Access();
    const std::string_view digest = bytes.substr(0, kDigestBytes);
    const std::string_view key = bytes.substr(digest.size());
    if (key.empty() || !EqualInConstantTime(digest, DigestOf(context, ciphertext.key_id, key))) {
      return absl::DataLossError("what the KMS unwrapped is not the key that was wrapped here");
    }
    return SecretBytes::Copy(key);
  }

  // One of the calls that wait for a plugin that does not answer goes through; it finds out when it does again.
  template <typename Result, typename Function>
  absl::StatusOr<Result> Try(const Function& call) {
    absl::Status problem;
    {
      std::lock_guard lock(mutex_);
      problem = problem_;
    }
    const bool probes = !problem.ok();
    if (probes && probing_.exchange(true)) return problem;
    absl::StatusOr<Result> result = call();
    if (probes) probing_ = false;
    if (absl::IsUnavailable(result.status()) || absl::IsFailedPrecondition(result.status())) Learn(result.status());
    return result;
  }

  void Learn(const absl::StatusOr<std::string>& key_id) {
    {
      std::lock_guard lock(mutex_);
      if (!key_id.ok() && problem_.ok()) Log(Severity::kError, "kms_away", {{"error", key_id.status()}});
      if (key_id.ok() && !problem_.ok()) Log(Severity::kInfo, "kms_answers", {{"key_id", Printable(*key_id)}});
      if (key_id.ok() && problem_.ok() && *key_id != key_id_)
        Log(Severity::kInfo, "kms_key_changed", {{"key_id", Printable(*key_id)}});
      if (key_id.ok()) key_id_ = *key_id;
      problem_ = key_id.status();
    }
    changed_.notify_all();
  }

  void Poll() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const bool healthy = problem_.ok();
      const auto delay = absl::ToChronoNanoseconds(KmsStatusDelay(healthy, Random()));
      // What a call learned meanwhile changes the delay.
      if (changed_.wait_for(lock, delay, [&] { return stopping_ || problem_.ok() != healthy; })) continue;
      lock.unlock();
      (void)Refresh();
      lock.lock();
    }
  }

  KmsClient& client_;
  std::atomic<bool> probing_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  absl::Status problem_ = absl::UnavailableError("the KMS plugin was not asked yet");
  std::string key_id_;
  std::thread poller_;
};

}  // namespace

absl::Duration KmsStatusDelay(bool healthy, double random_0_to_1) {
  const absl::Duration interval = healthy ? kKmsStatusInterval : kKmsUnhealthyStatusInterval;
  return interval * (1 + kKmsStatusJitter * (2 * random_0_to_1 - 1));
}

std::unique_ptr<KmsRootKeys> KmsRootKeys::Create(KmsClient& client, Options options) {
  return std::make_unique<PolledKmsRootKeys>(client, options.keeps_asking);
}

}  // namespace keyferry

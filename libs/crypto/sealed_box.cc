#include "libs/crypto/sealed_box.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/reseal.h"
#include "libs/crypto/x25519.h"

namespace keyferry {
namespace {

constexpr std::string_view kPurpose = "keyferry/sealed-box/v1";
constexpr absl::Duration kEphemeralLifetime = absl::Seconds(60);
constexpr size_t kMaxRecipients = 1024;
constexpr size_t kContextHashBytes = 32;
constexpr size_t kHeaderBytes = 2 + kSealingKeyIdBytes + kSealingKeyBytes + kCommitmentBytes;
constexpr size_t kOverheadBytes = kHeaderBytes + kNonceBytes + kContextHashBytes + kTagBytes;

CommittedKey BoxKey(const SecretBytes& shared, std::string_view ephemeral_public_key,
                    std::string_view recipient_public_key) {
  return CommittedKey::Expand(shared, std::string(ephemeral_public_key).append(recipient_public_key), kPurpose);
}

// What one ephemeral key pair left behind; its private half is gone by then.
struct Session {
  std::string header;
  CommittedKey key;
  absl::Duration expires_at;
};

class CachingSender final : public SealedBoxSender {
 public:
  explicit CachingSender(const Clock& clock) : clock_(clock) {}

  absl::StatusOr<std::string> Seal(std::string_view public_key, const SecretBytes& data_key,
                                   std::string_view context) override {
    std::shared_ptr<const Session> session = Find(public_key);
    if (session == nullptr) {
      auto started = Start(public_key);
      if (!started.ok()) return std::move(started).status();
      session = *std::move(started);
    }
    const std::string context_hash = Sha256(context);
    SecretBytes plaintext(data_key.size() + kContextHashBytes);
    std::copy_n(data_key.Access().begin(), data_key.size(), plaintext.AccessMutable().begin());
    std::copy_n(context_hash.begin(), kContextHashBytes, plaintext.AccessMutable().begin() + data_key.size());
    return session->header + session->key.Seal(plaintext.Access(), context_hash);
  }

 private:
  std::shared_ptr<const Session> Find(std::string_view public_key) {
    const absl::Duration now = clock_.Monotonic();
    absl::MutexLock lock(&mutex_);
    const auto found = sessions_.find(public_key);
    return found == sessions_.end() || now >= found->second->expires_at ? nullptr : found->second;
  }

  absl::StatusOr<std::shared_ptr<const Session>> Start(std::string_view public_key) {
    if (public_key.size() != kSealingKeyBytes) {
      return absl::InvalidArgumentError(absl::StrCat("a sealing key has 32 bytes, not ", public_key.size()));
    }
    const SecretBytes ephemeral = SecretBytes::Random(kSealingKeyBytes);
    const std::string ephemeral_public_key = X25519PublicKey(ephemeral);
    const std::optional<SecretBytes> shared = X25519SharedSecret(ephemeral, public_key);
    if (!shared) {
      return absl::InvalidArgumentError(
          "the sealing key is a point of low order: it protects nothing; generate a new one");
    }
    CommittedKey key = BoxKey(*shared, ephemeral_public_key, public_key);
    std::string header{static_cast<char>(kFormatVersion), static_cast<char>(kSuiteXChaCha)};
    header.append(SealingKeyId(public_key)).append(ephemeral_public_key).append(key.commitment());
    auto session = std::make_shared<const Session>(
        Session{std::move(header), std::move(key), clock_.Monotonic() + kEphemeralLifetime});
    Keep(public_key, session);
    return session;
  }

  void Keep(std::string_view public_key, std::shared_ptr<const Session> session) {
    absl::MutexLock lock(&mutex_);
    if (sessions_.size() >= kMaxRecipients) MakeRoom();
    sessions_.insert_or_assign(std::string(public_key), std::move(session));
  }

  void MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::Duration now = clock_.Monotonic();
    std::erase_if(sessions_, [now](const auto& entry) { return now >= entry.second->expires_at; });
    if (sessions_.size() < kMaxRecipients) return;
    sessions_.erase(std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) {
      return a.second->expires_at < b.second->expires_at;
    }));
  }

  const Clock& clock_;
  absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<const Session>, std::less<>> sessions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::string SealingKeyId(std::string_view public_key) { return Sha256(public_key).substr(0, kSealingKeyIdBytes); }

std::string_view RecipientOf(std::string_view region_box) {
  return region_box.size() < kOverheadBytes ? std::string_view() : region_box.substr(2, kSealingKeyIdBytes);
}

// The keys of boxes by their sender's ephemeral public key; the least recently used goes first. Holds only keys that opened a box.
class RegionKey::AgreedKeys {
 public:
  std::shared_ptr<const CommittedKey> Find(std::string_view ephemeral_public_key) {
    absl::MutexLock lock(&mutex_);
    const auto found = keys_.find(ephemeral_public_key);
    if (found == keys_.end()) return nullptr;
    found->second.used = ++uses_;
    return found->second.key;
  }

  void Keep(std::string_view ephemeral_public_key, std::shared_ptr<const CommittedKey> key) {
    absl::MutexLock lock(&mutex_);
    if (keys_.size() >= kMaxAgreedSenders && !keys_.contains(ephemeral_public_key)) {
      keys_.erase(std::min_element(keys_.begin(), keys_.end(),
                                   [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
    }
    keys_.insert_or_assign(std::string(ephemeral_public_key), Agreed{.key = std::move(key), .used = ++uses_});
  }

  size_t size() const {
    absl::MutexLock lock(&mutex_);
    return keys_.size();
  }

 private:
  struct Agreed {
    std::shared_ptr<const CommittedKey> key;
    uint64_t used = 0;
  };

  mutable absl::Mutex mutex_;
  std::map<std::string, Agreed, std::less<>> keys_ ABSL_GUARDED_BY(mutex_);
  uint64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

RegionKey RegionKey::Generate() { return *FromPrivate(SecretBytes::Random(kSealingKeyBytes)); }

absl::StatusOr<RegionKey> RegionKey::FromPrivate(SecretBytes private_key) {
  if (private_key.size() != kSealingKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a region's private key has 32 bytes, not ", private_key.size()));
  }
  RegionKey key;
  key.public_key_ = X25519PublicKey(private_key);
  key.id_ = SealingKeyId(key.public_key_);
  key.private_key_ = std::move(private_key);
  key.agreed_ = std::make_shared<AgreedKeys>();
  return key;
}

size_t RegionKey::agreed_sender_count() const { return agreed_->size(); }

absl::StatusOr<SecretBytes> RegionKey::OpenBox(std::string_view box, std::string_view context) const {
  if (box.size() < kOverheadBytes || box[0] != kFormatVersion || box[1] != kSuiteXChaCha ||
      box.substr(2, kSealingKeyIdBytes) != id_) {
    return DoesNotOpen();
  }
  const std::string_view ephemeral_public_key = box.substr(2 + kSealingKeyIdBytes, kSealingKeyBytes);
  std::shared_ptr<const CommittedKey> key = agreed_->Find(ephemeral_public_key);
  const bool is_new = key == nullptr;
  if (is_new) {
    const std::optional<SecretBytes> shared = X25519SharedSecret(private_key_, ephemeral_public_key);
    if (!shared) return DoesNotOpen();
    key = std::make_shared<const CommittedKey>(BoxKey(*shared, ephemeral_public_key, public_key_));
  }
  if (!EqualInConstantTime(key->commitment(), box.substr(kHeaderBytes - kCommitmentBytes, kCommitmentBytes)))
    return DoesNotOpen();
  const std::string context_hash = Sha256(context);
  auto plaintext = key->Open(box.substr(kHeaderBytes), context_hash);
  if (!plaintext.ok()) return std::move(plaintext).status();
  if (is_new) agreed_->Keep(ephemeral_public_key, std::move(key));
  const std::string_view inside = plaintext->Access();
  const size_t data_key_bytes = inside.size() - kContextHashBytes;
  if (!EqualInConstantTime(inside.substr(data_key_bytes), context_hash)) return DoesNotOpen();
  return SecretBytes::Copy(inside.substr(0, data_key_bytes));
}

std::unique_ptr<SealedBoxSender> SealedBoxSender::Create(const Clock& clock) {
  return std::make_unique<CachingSender>(clock);
}

}  // namespace keyferry

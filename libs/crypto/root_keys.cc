#include "libs/crypto/root_keys.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

// The id is bound too, so that a key under one root key's name never opens as another's.
std::string ContextOf(std::string_view context, std::string_view root_key_id) { return std::string(context) + JoinParts({root_key_id}); }

class LoadedRootKeys final : public KeyringRootKeys {
 public:
  explicit LoadedRootKeys(Keyring keyring) : keyring_(std::move(keyring)) {}

  std::string_view provider() const override { return "keyring"; }

  absl::StatusOr<std::string> CurrentId() override {
    absl::MutexLock lock(&mutex_);
    ASSIGN_OR_RETURN(const Keyring::Key key, keyring_.Current(KeyPurpose::kRoot));
    return key.id;
  }

  absl::StatusOr<RootWrapped> Wrap(const SecretBytes& key, std::string_view context) override {
    absl::MutexLock lock(&mutex_);
    ASSIGN_OR_RETURN(const Keyring::Key root, keyring_.Current(KeyPurpose::kRoot));
    return RootWrapped{.root_key_id = root.id, .bytes = SealFrame(*root.bytes, key.Access(), ContextOf(context, root.id))};
  }

  absl::StatusOr<SecretBytes> Unwrap(const RootWrapped& wrapped, std::string_view context) override {
    absl::MutexLock lock(&mutex_);
    const auto root = keyring_.Find(KeyPurpose::kRoot, wrapped.root_key_id);
    if (!root.ok()) {
      return absl::FailedPreconditionError(absl::StrCat("root key ", wrapped.root_key_id,
                                                        " is not in the keyring; start with the keyring that this store was written under"));
    }
    return OpenFrame(*root->bytes, wrapped.bytes, ContextOf(context, wrapped.root_key_id));
  }

  absl::Status Health() override { return CurrentId().status(); }

  absl::Status Replace(Keyring keyring) override {
    absl::MutexLock lock(&mutex_);
    for (const Keyring::Listed& known : keyring_.List()) {
      if (known.purpose != KeyPurpose::kRoot || keyring.Find(KeyPurpose::kRoot, known.id).ok()) continue;
      return absl::FailedPreconditionError(absl::StrCat("the new keyring lacks root key ", known.id,
                                                        ", under which keys may be wrapped still; keep it as previous until they are wrapped anew"));
    }
    keyring_ = std::move(keyring);
    return absl::OkStatus();
  }

 private:
  absl::Mutex mutex_;
  Keyring keyring_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<KeyringRootKeys> KeyringRootKeys::Create(Keyring keyring) { return std::make_unique<LoadedRootKeys>(std::move(keyring)); }

}  // namespace keyferry

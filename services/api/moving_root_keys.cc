#include "services/api/moving_root_keys.h"

#include "absl/strings/str_cat.h"
#include "services/api/kms_root_keys.h"

namespace keyferry {
namespace {

class MovingRootKeys final : public RootKeys {
 public:
  MovingRootKeys(RootKeys& keyring, RootKeys* kms, bool wraps_by_kms)
      : keyring_(keyring), kms_(kms), current_(wraps_by_kms ? *kms : keyring) {}

  std::string_view provider() const override { return current_.provider(); }
  absl::StatusOr<std::string> CurrentId() override { return current_.CurrentId(); }
  absl::StatusOr<RootWrapped> Wrap(const SecretBytes& key, std::string_view context) override {
    return current_.Wrap(key, context);
  }

  absl::StatusOr<SecretBytes> Unwrap(const RootWrapped& wrapped, std::string_view context) override {
    if (!wrapped.root_key_id.starts_with(kKmsKeyIdPrefix)) return keyring_.Unwrap(wrapped, context);
    if (kms_ != nullptr) return kms_->Unwrap(wrapped, context);
    return absl::FailedPreconditionError(
        absl::StrCat("key ", Printable(wrapped.root_key_id),
                     " is in a KMS: start with --kms-socket; to leave the KMS, with --wrap-with=keyring as well"));
  }

  absl::Status Health() override { return kms_ != nullptr ? kms_->Health() : keyring_.Health(); }

 private:
  RootKeys& keyring_;
  RootKeys* const kms_;
  RootKeys& current_;
};

}  // namespace

std::unique_ptr<RootKeys> NewMovingRootKeys(RootKeys& keyring, RootKeys* kms, bool wraps_by_kms) {
  return std::make_unique<MovingRootKeys>(keyring, kms, wraps_by_kms && kms != nullptr);
}

}  // namespace keyferry

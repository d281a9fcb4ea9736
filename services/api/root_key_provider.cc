#include "services/api/root_key_provider.h"

#include "libs/common/log.h"
#include "services/api/moving_root_keys.h"

namespace keyferry {
namespace {

absl::Status CheckOptions(const RootKeyOptions& options) {
  if (!options.wrap_with.empty() && options.wrap_with != "kms" && options.wrap_with != "keyring") {
    return absl::InvalidArgumentError("--wrap-with must be kms or keyring");
  }
  if (options.kms_socket.empty() && options.wrap_with == "kms")
    return absl::InvalidArgumentError("--wrap-with=kms needs --kms-socket");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RootKeyProvider> OpenRootKeys(const RootKeyOptions& options, RootKeys& keyring,
                                             absl::Duration patience) {
  if (absl::Status wrong = CheckOptions(options); !wrong.ok()) return wrong;
  RootKeyProvider provider;
  if (!options.kms_socket.empty()) {
    provider.client = KmsClient::Create(options.kms_socket);
    provider.kms = KmsRootKeys::Create(*provider.client);
    const absl::Status status = provider.kms->AwaitHealthy(patience);
    if (absl::IsFailedPrecondition(status)) return status;
    if (!status.ok()) Log(Severity::kError, "started_without_kms", {{"error", status}});
  }
  provider.keys = NewMovingRootKeys(keyring, provider.kms.get(), options.wrap_with != "keyring");
  return provider;
}

}  // namespace keyferry

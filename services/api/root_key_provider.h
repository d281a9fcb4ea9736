// Where the root key is: in the keyring, or in a KMS, with both at hand while an installation moves.
#ifndef KEYFERRY_SERVICES_API_ROOT_KEY_PROVIDER_H_
#define KEYFERRY_SERVICES_API_ROOT_KEY_PROVIDER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "libs/crypto/root_keys.h"
#include "services/api/kms_client.h"
#include "services/api/kms_root_keys.h"

namespace keyferry {

// How long a start waits for the plugin; systemd starts both at the same time.
inline constexpr absl::Duration kKmsStartPatience = absl::Seconds(20);

struct RootKeyOptions {
  // Empty: no KMS.
  std::string kms_socket;
  // `kms` or `keyring`; empty: the KMS where there is one.
  std::string wrap_with;
};

// Destroyed in reverse.
struct RootKeyProvider {
  std::unique_ptr<KmsClient> client;
  std::unique_ptr<KmsRootKeys> kms;
  std::unique_ptr<RootKeys> keys;
};

// `keyring` outlives it. Waits for the plugin; one that is away still is no failure here: whatever the keyring wrapped
// opens without it. InvalidArgument, FailedPrecondition: the flags, the socket or the plugin's version are wrong.
absl::StatusOr<RootKeyProvider> OpenRootKeys(const RootKeyOptions& options, RootKeys& keyring,
                                             absl::Duration patience = kKmsStartPatience);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ROOT_KEY_PROVIDER_H_

// RootKeys: wraps and unwraps the keys of organizations. A keyring's root key does it here (NewKeyringRootKeys), a KMS elsewhere (services/api/kms.h).
// Called once for each organization's key, then cached; never for each request.
//
// Thread safety: all methods from any thread. May block, a KMS up to 3 s.
#ifndef KEYFERRY_CRYPTO_ROOT_KEYS_H_
#define KEYFERRY_CRYPTO_ROOT_KEYS_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/crypto/keyring.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

struct RootWrapped {
  std::string root_key_id;
  std::string bytes;
  std::map<std::string, std::string> annotations;
};

class RootKeys {
 public:
  virtual ~RootKeys() = default;

  // `keyring` or `kms`.
  virtual std::string_view provider() const = 0;
  // Of the key that Wrap uses now. Unavailable: the KMS is away.
  virtual absl::StatusOr<std::string> CurrentId() = 0;
  // The context is bound: unwrapping with another one fails. Unavailable; ResourceExhausted is never given.
  virtual absl::StatusOr<RootWrapped> Wrap(const SecretBytes& key, std::string_view context) = 0;
  // FailedPrecondition: the root key is not there (another keyring). DataLoss: it does not unwrap. Unavailable.
  virtual absl::StatusOr<SecretBytes> Unwrap(const RootWrapped& wrapped, std::string_view context) = 0;
  // Ok, or why it does not answer now.
  virtual absl::Status Health() = 0;
};

// Root keys of a keyring, which may be replaced while it runs (the operator added one and told the process so).
class KeyringRootKeys : public RootKeys {
 public:
  static std::unique_ptr<KeyringRootKeys> Create(Keyring keyring);
  // FailedPrecondition, and nothing changes, when the new one lacks a root key that the old one has.
  virtual absl::Status Replace(Keyring keyring) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_ROOT_KEYS_H_

// An owner's key-encryption keys as they are stored: made, unwrapped and wrapped again by the root keys. Key 1 is 32
// bytes, and the fingerprint key follows from it; a newer one is 64 bytes: key-encryption key | fingerprint key.
//
// Thread safety: free functions, safe anywhere.
#ifndef KEYFERRY_STORAGE_WRAPPED_KEYS_H_
#define KEYFERRY_STORAGE_WRAPPED_KEYS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/crypto/root_keys.h"
#include "libs/crypto/secret_bytes.h"
#include "libs/storage/barrier.h"
#include "libs/storage/rows.h"

namespace keyferry {

// What follows from the keys. FailedPrecondition: a root key is not there. DataLoss: a key does not unwrap, or is none
// of this owner's. Unavailable.
absl::StatusOr<OrganizationKeys> UnwrapKeys(RootKeys& root_keys, std::string_view owner, const WrappedKeysRow& row);

// A fresh key 1, under the current root key.
absl::StatusOr<WrappedKeysRow> NewWrappedKeys(RootKeys& root_keys, std::string_view owner, absl::Time now);
// A fresh key after the row's newest, with the fingerprint key of those before.
absl::Status AppendKey(RootKeys& root_keys, std::string_view owner, const SecretBytes& fingerprint, absl::Time now,
                       WrappedKeysRow& row);
// Wraps what another root key than the current one wrapped; false when there is none.
absl::StatusOr<bool> WrapAnew(RootKeys& root_keys, std::string_view owner, WrappedKeysRow& row);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_WRAPPED_KEYS_H_

// What a write brings: keys with values, or the credentials of a registry. Checked and normalised before anything is
// read. No message here holds a value or a credential, nor what might be one.
//
// Thread safety: free functions.
#ifndef KEYFERRY_SERVICES_API_SECRET_VALUES_H_
#define KEYFERRY_SERVICES_API_SECRET_VALUES_H_

#include <string>
#include <string_view>
#include <vector>

#include "libs/crypto/secret_bytes.h"
#include "libs/model/secret_set.h"
#include "services/api/violations.h"

namespace keyferry {

struct SecretValue {
  std::string key;
  SecretBytes value;
};

// The one entry of an image pull secret has this name where it is sealed, and an empty one in the set's row.
inline constexpr char kPullEntryKey[] = "auth";

// One to kMaxKeysPerSet keys, each valid and given once; values of at most kMaxValueBytes without NUL. Fields
// `entries[3].key`.
void CheckSecretValues(const std::vector<SecretValue>& values, Violations& violations);

// What a set may hold in all: kMaxKeysPerSet keys and kMaxSetBytes of values.
void CheckSetSize(const std::vector<SecretSetEntry>& entries, Violations& violations);

// 1 to kMaxHostLength characters of a host, the slash at its end included, with or without scheme (http or https), port and
// path.
void CheckHost(std::string_view host, Violations& violations);
// With a slash at its end.
std::string NormalizeHost(std::string_view host);

// base64 of `username:token`, at most kMaxPullAuthBytes: given so, or encoded from the plain form. Everything else is a
// violation, INVALID_CREDENTIALS, that says what is expected; the result is then empty. JSON, which a docker config is,
// is refused in either form.
SecretBytes NormalizePullAuth(const SecretBytes& auth, Violations& violations);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SECRET_VALUES_H_

// The text of a keyring: read, made, and changed line by line. docs/storage-format.md has its grammar.
//
// Thread safety: free functions, safe anywhere.
#ifndef KEYFERRY_CRYPTO_KEYRING_TEXT_H_
#define KEYFERRY_CRYPTO_KEYRING_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/crypto/keyring.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

struct KeyringEntry {
  KeyPurpose purpose = KeyPurpose::kRoot;
  KeyState state = KeyState::kCurrent;
  std::string id;
  SecretBytes key;
};

// A fresh key, current, with the id that follows from it.
KeyringEntry NewKeyringEntry(KeyPurpose purpose);

// In the order of the lines. FailedPrecondition naming the path (and the line) and how to mend it, never quoting a
// line: its words may be a key at the wrong place.
absl::StatusOr<std::vector<KeyringEntry>> ParseKeyring(const std::string& path, std::string_view text);

// With its checksum.
SecretBytes PrintKeyring(const std::vector<KeyringEntry>& entries);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_KEYRING_TEXT_H_

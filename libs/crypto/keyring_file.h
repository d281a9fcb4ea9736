// The file beneath a Keyring: who may have written it, writing a new one, and replacing one by its successor.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_CRYPTO_KEYRING_FILE_H_
#define KEYFERRY_CRYPTO_KEYRING_FILE_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

inline constexpr size_t kMaxKeyringBytes = 64 * 1024;

// FailedPrecondition naming the path, what is wrong and how to mend it; NotFound when there is no file. Checks every
// directory on the way as well, by descriptor, so that nothing changes between check and use. data_directory may be
// empty.
absl::StatusOr<SecretBytes> ReadKeyringFile(const std::string& path, const std::string& data_directory);

// A new file of mode 0600, durable on return. AlreadyExists when the name is taken; then nothing changed.
absl::Status WriteNewKeyringFile(const std::string& path, std::string_view content);

// Reads the file as ReadKeyringFile does and puts what the edit makes of it in its place, with the same owner and mode, durable on return; one at a
// time. The edit's error, and then nothing changed. FailedPrecondition: systemd's copy of a credential. Unavailable: it cannot be written.
absl::Status ReplaceKeyringFile(const std::string& path, const std::function<absl::StatusOr<SecretBytes>(const SecretBytes&)>& edit);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_KEYRING_FILE_H_

// Files and streams that may hold secrets, read byte for byte.
#ifndef KEYFERRY_CLI_FILE_READER_H_
#define KEYFERRY_CLI_FILE_READER_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

enum class FilePrivacy {
  kAny,
  // Group and others must have no access to it.
  kOwnerOnly,
};

// USAGE errors that name the file: there is none, it cannot be read, is a directory, is longer than `limit_bytes`, or
// is not as private as asked.
absl::StatusOr<SecretBytes> ReadSecretFile(const std::string& path, size_t limit_bytes,
                                           FilePrivacy privacy = FilePrivacy::kAny);
// nullopt when there is none.
absl::StatusOr<std::optional<SecretBytes>> ReadSecretFileIfPresent(const std::string& path, size_t limit_bytes);

// Everything up to the end of the stream. `source` names it in errors.
absl::StatusOr<SecretBytes> ReadSecretStream(int descriptor, const std::string& source, size_t limit_bytes);

// Whether group or others can read or write the file; true where that cannot be found out.
bool IsOpenToOthers(const std::string& path);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_FILE_READER_H_

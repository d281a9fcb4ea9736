// Files and directories by descriptor, never following a symbolic link. What FileSink is made of.
//
// Errors: NotFound (nothing there), ResourceExhausted (no room), Unavailable (any other); each names what it was about.
// Thread safety: free functions.
#ifndef KEYFERRY_SERVICES_PROVISIONER_FILE_TREE_H_
#define KEYFERRY_SERVICES_PROVISIONER_FILE_TREE_H_

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/crypto/secret_bytes.h"
#include "libs/rpc/socket.h"

namespace keyferry {

// From errno.
absl::Status FileError(std::string_view what);

// `parent` may be AT_FDCWD.
absl::StatusOr<Descriptor> OpenDirectory(int parent, const std::string& name);
// Creates it with this mode when it is missing.
absl::StatusOr<Descriptor> MakeAndOpenDirectory(int parent, const std::string& name, mode_t mode);
// Without `.` and `..`, sorted. Moves the descriptor's position.
absl::StatusOr<std::vector<std::string>> NamesIn(int directory);
absl::StatusOr<std::string> ReadLink(int directory, const std::string& name);
// A new file.
absl::Status WriteNewFile(int directory, const std::string& name, std::string_view bytes, mode_t mode);
// A regular file.
absl::StatusOr<SecretBytes> ReadFile(int directory, const std::string& name);
// A directory that holds only files, or nothing. Ok when there is none.
absl::Status RemoveFlatDirectory(int parent, const std::string& name);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_FILE_TREE_H_

// Files and directories that are on the disk when the call returns.
//
// Thread safety: free functions; paths are the caller's to guard.
#ifndef KEYFERRY_STORAGE_DURABLE_FILES_H_
#define KEYFERRY_STORAGE_DURABLE_FILES_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace keyferry {

// errno as a status: NotFound, AlreadyExists, else Unavailable; says what was tried on which path.
absl::Status FileError(std::string_view action, const std::string& path);

absl::Status SyncPath(const std::string& path);
absl::Status SyncParentDirectory(const std::string& path);
// Every file and directory from here down.
absl::Status SyncTree(const std::string& directory);

// The directory and missing ones above it, mode 0700, durable. OK when it is there.
absl::Status MakeDirectories(const std::string& path);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_DURABLE_FILES_H_

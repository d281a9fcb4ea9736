#include "libs/storage/durable_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

absl::StatusCode CodeOf(int error) {
  if (error == ENOENT) return absl::StatusCode::kNotFound;
  return error == EEXIST ? absl::StatusCode::kAlreadyExists : absl::StatusCode::kUnavailable;
}

}  // namespace

absl::Status FileError(std::string_view action, const std::string& path) {
  const int error = errno;
  return absl::Status(CodeOf(error), absl::StrCat("cannot ", absl::string_view(action.data(), action.size()), " ", path,
                                                  ": ", std::strerror(error)));
}

absl::Status SyncPath(const std::string& path) {
  FAILPOINT_OR_RETURN("files.before_sync");
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return FileError("open", path);
  const absl::Status status = fsync(file) == 0 ? absl::OkStatus() : FileError("sync", path);
  close(file);
  return status;
}

absl::Status SyncParentDirectory(const std::string& path) {
  const std::string parent = std::filesystem::absolute(path).parent_path();
  return SyncPath(parent);
}

absl::Status SyncTree(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error)) {
    RETURN_IF_ERROR(SyncPath(entry.path()));
  }
  if (error) return absl::UnavailableError(absl::StrCat("cannot list ", directory, ": ", error.message()));
  return SyncPath(directory);
}

absl::Status MakeDirectories(const std::string& path) {
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) return absl::OkStatus();
  const std::filesystem::path absolute = std::filesystem::absolute(path);
  if (absolute.has_parent_path() && absolute.has_filename()) RETURN_IF_ERROR(MakeDirectories(absolute.parent_path()));
  if (absolute.has_filename() && mkdir(path.c_str(), 0700) != 0) return FileError("create directory", path);
  FAILPOINT_OR_RETURN("files.directory_made");
  return SyncParentDirectory(path);
}

}  // namespace keyferry

#include "services/api/backup_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/storage/durable_files.h"

namespace keyferry {
namespace {

absl::Status Failure(std::string_view action, const std::string& path) {
  if (errno != ENOSPC && errno != EDQUOT) return FileError(action, path);
  return MakeError(absl::StatusCode::kResourceExhausted, absl::StrCat("no space is left to write ", path),
                   {.reason = "BACKUP_DISK_FULL"});
}

absl::Status CannotList(const std::string& directory, const std::error_code& error) {
  return absl::UnavailableError(absl::StrCat("cannot list ", directory, ": ", error.message()));
}

// What cannot be looked at is not absent: a disk that is away would pass for an empty one.
absl::StatusOr<bool> Exists(const std::string& directory) {
  std::error_code error;
  const bool exists = std::filesystem::exists(directory, error);
  if (error) return CannotList(directory, error);
  return exists;
}

}  // namespace

absl::StatusOr<BackupFile> BackupFile::Open(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return Failure("open", path);
  return BackupFile(file, path);
}

BackupFile& BackupFile::operator=(BackupFile&& other) noexcept {
  if (this == &other) return *this;
  if (file_ >= 0) close(file_);
  file_ = std::exchange(other.file_, -1);
  path_ = std::move(other.path_);
  return *this;
}

BackupFile::~BackupFile() {
  if (file_ >= 0) close(file_);
}

absl::StatusOr<std::string> BackupFile::Read(size_t bytes) {
  std::string read_bytes(bytes, '\0');
  size_t size = 0;
  while (size < bytes) {
    const ssize_t got = read(file_, read_bytes.data() + size, bytes - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure("read", path_);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  read_bytes.resize(size);
  return read_bytes;
}

absl::Status BackupFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(file_, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Failure("write", path_);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

absl::Status BackupFile::WriteAt(off_t offset, std::string_view bytes) {
  if (ftruncate(file_, offset) != 0 || lseek(file_, offset, SEEK_SET) != offset) return Failure("shorten", path_);
  return Write(bytes);
}

absl::Status BackupFile::Sync() { return fsync(file_) == 0 ? absl::OkStatus() : Failure("sync", path_); }

void BackupFile::Forget() { posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED); }

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  ASSIGN_OR_RETURN(BackupFile file, BackupFile::Open(path, O_RDONLY));
  ASSIGN_OR_RETURN(const int64_t size, SizeOf(path));
  return file.Read(static_cast<size_t>(size));
}

absl::Status WriteDurably(const std::string& path, std::string_view content) {
  const std::string unfinished = path + ".unfinished";
  {
    ASSIGN_OR_RETURN(BackupFile file, BackupFile::Open(unfinished, O_WRONLY | O_CREAT | O_TRUNC));
    RETURN_IF_ERROR(file.Write(content));
    RETURN_IF_ERROR(file.Sync());
  }
  FAILPOINT_OR_RETURN("durable_file.before_rename");
  if (rename(unfinished.c_str(), path.c_str()) != 0) return Failure("rename", unfinished);
  FAILPOINT_OR_RETURN("durable_file.after_rename");
  return SyncParentDirectory(path);
}

absl::StatusOr<int64_t> SizeOf(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return Failure("read", path);
  return static_cast<int64_t>(found.st_size);
}

absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  ASSIGN_OR_RETURN(const bool exists, Exists(directory));
  if (!exists) return files;
  for (auto entry = std::filesystem::recursive_directory_iterator(directory, error);
       !error && entry != std::filesystem::end(entry); entry.increment(error)) {
    const bool is_file = entry->is_regular_file(error);
    if (error) break;
    if (is_file) files.push_back(entry->path().lexically_relative(directory));
  }
  if (error) return CannotList(directory, error);
  std::ranges::sort(files);
  return files;
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  ASSIGN_OR_RETURN(const bool exists, Exists(directory));
  if (!exists) return names;
  for (auto entry = std::filesystem::directory_iterator(directory, error);
       !error && entry != std::filesystem::end(entry); entry.increment(error)) {
    names.push_back(entry->path().filename());
  }
  if (error) return CannotList(directory, error);
  std::ranges::sort(names);
  return names;
}

bool LiesInside(const std::string& path, const std::string& directory) {
  std::error_code ignored;
  const auto inner = std::filesystem::weakly_canonical(std::filesystem::absolute(path), ignored);
  auto outer = std::filesystem::weakly_canonical(std::filesystem::absolute(directory), ignored);
  if (!outer.has_filename()) outer = outer.parent_path();
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

}  // namespace keyferry

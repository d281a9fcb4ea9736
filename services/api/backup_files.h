// Files of backups: read and written in full, and durable when a call says so.
//
// Thread safety: a BackupFile belongs to one thread; the functions from any.
#ifndef KEYFERRY_SERVICES_API_BACKUP_FILES_H_
#define KEYFERRY_SERVICES_API_BACKUP_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace keyferry {

// Errors everywhere: NotFound, AlreadyExists, else Unavailable, or ResourceExhausted BACKUP_DISK_FULL.
class BackupFile {
 public:
  // Made with mode 0600.
  static absl::StatusOr<BackupFile> Open(const std::string& path, int flags);
  BackupFile() = default;
  BackupFile(BackupFile&& other) noexcept : file_(std::exchange(other.file_, -1)), path_(std::move(other.path_)) {}
  BackupFile& operator=(BackupFile&& other) noexcept;
  ~BackupFile();

  int get() const { return file_; }
  // Fewer bytes than asked for: the file ends there.
  absl::StatusOr<std::string> Read(size_t bytes);
  absl::Status Write(std::string_view bytes);
  absl::Status WriteAt(off_t offset, std::string_view bytes);
  absl::Status Sync();
  // The next Read asks the disk, not the page cache.
  void Forget();

 private:
  BackupFile(int file, std::string path) : file_(file), path_(std::move(path)) {}
  int file_ = -1;
  std::string path_;
};

absl::StatusOr<std::string> ReadWhole(const std::string& path);
// Beside, synced, renamed into place, directory synced: the old content or the new one, never a part.
absl::Status WriteDurably(const std::string& path, std::string_view content);
absl::StatusOr<int64_t> SizeOf(const std::string& path);
// Regular files below, as paths relative to it, sorted. Empty when there is no such directory; Unavailable when that
// cannot be told.
absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& directory);
// Names in it, sorted. As above.
absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory);
// Whether `path`, of which parts may be missing, lies in the directory or is it.
bool LiesInside(const std::string& path, const std::string& directory);

inline constexpr size_t kBackupKeyIdBytes = 20;

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_BACKUP_FILES_H_

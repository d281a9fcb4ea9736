// A file of a backup: named by its contents, sealed in frames, so that files of any size pass through a fixed amount of
// memory and equal files are kept once. Neither names nor contents show. docs/storage-format.md has the bytes.
//
// Thread safety: free functions; paths are the caller's to guard.
#ifndef KEYFERRY_SERVICES_API_BACKUP_OBJECT_H_
#define KEYFERRY_SERVICES_API_BACKUP_OBJECT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/api/backup_keys.h"

namespace keyferry {

// Plaintext of a frame; the last one may have less.
inline constexpr size_t kBackupFrameBytes = size_t{1} << 20;
inline constexpr size_t kBackupObjectIdBytes = 32;

struct BackupObject {
  // Keyed hash of the contents.
  std::string id;
  // Of the contents.
  int64_t bytes = 0;
  friend bool operator==(const BackupObject&, const BackupObject&) = default;
};

// What a file of this size takes on the backup's disk.
int64_t SealedObjectBytes(int64_t bytes);

// Called between frames; an error ends what runs, with that error.
using BackupPause = std::function<absl::Status()>;

absl::StatusOr<BackupObject> IdentifyFile(const BackupKeys& keys, const std::string& path, const BackupPause& pause);

// Writes the file as that object, synced; `target` must not exist. Unavailable: the file is no longer what it was
// identified as.
absl::Status SealObject(const BackupKeys& keys, const BackupObject& object, const std::string& source,
                        const std::string& target, const BackupPause& pause);

// Gives the contents to `take`, in order, while it is read; all is well only when this answers OK. DataLoss, naming the
// path: it is not that object, or was damaged. NotFound.
absl::Status OpenObject(const BackupKeys& keys, const BackupObject& object, const std::string& path,
                        const std::function<absl::Status(std::string_view)>& take);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_BACKUP_OBJECT_H_

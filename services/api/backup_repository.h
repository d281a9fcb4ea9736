// The directory of backups, encrypted and incremental: `manifests/NAME` for each backup, `objects/KEY/xx/ID` for the
// files of all of them, `incoming/` for what is being written. docs/storage-format.md has the bytes.
//
// Invariants:
//   B1  A backup that has a manifest is whole: the manifest is written last, after every new object was synced, read
//   back and opened. B2  A crash leaves all earlier backups as they were; what it left behind goes with the next Write.
//   B3  Nothing shows names or contents to whoever lacks the keyring's backup key.
//   B4  An object goes only when every manifest under its key can be read and none names it, and there is a manifest.
//   B5  The newest is the one of the highest revision (lineage, then sequence), whatever the clock was.
//
// Thread safety: all methods from any thread; Write and Prune of one at a time. Several processes may read; one writes
// (LOCK).
#ifndef KEYFERRY_SERVICES_API_BACKUP_REPOSITORY_H_
#define KEYFERRY_SERVICES_API_BACKUP_REPOSITORY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/api/backup_manifest.h"

namespace keyferry {

// Left free on the backup's disk, also for the store if both share it.
inline constexpr int64_t kMinFreeBackupBytes = int64_t{512} << 20;

// However old: what expires goes by a clock that may be wrong.
inline constexpr int kMinBackupsKept = 3;

struct BackupRepositoryOptions {
  std::string directory;
  FindBackupKeys keys;
  // nullopt: it cannot be told. Empty: asks the file system.
  std::function<std::optional<int64_t>(const std::string& directory)> free_bytes;
  // Called between any two steps of Write and Prune, with the step's name; an error ends it on the spot, as a crash
  // would. May be empty.
  std::function<absl::Status(std::string_view step)> before_step;
};

struct BackupFacts {
  absl::Time create_time;
  Revision revision = 0;
  std::set<std::string> root_key_ids;
  LedgerPosition ledger;
};

struct BackupList {
  // The newest first.
  std::vector<BackupManifest> backups;
  // Why the others cannot be read: of the newest one first.
  std::vector<absl::Status> problems;
};

class BackupRepository {
 public:
  explicit BackupRepository(BackupRepositoryOptions options);

  // Makes the files below `source` a backup. ResourceExhausted BACKUP_DISK_FULL: nothing was written. Unavailable:
  // another process writes here; the disk. DataLoss: what was written does not read back.
  absl::StatusOr<BackupManifest> Write(const std::string& source, const BackupFacts& facts) const;
  // Removes backups that were made before, but never the newest kMinBackupsKept that can be read, then what no manifest
  // names.
  absl::Status Prune(absl::Time before) const;

  // Empty when there is no directory yet. Unavailable.
  absl::StatusOr<BackupList> List() const;
  // NotFound, DataLoss, FailedPrecondition: as of OpenManifest.
  absl::StatusOr<BackupManifest> Get(const std::string& name) const;
  // Reads and opens every object. DataLoss names the first that fails.
  absl::Status Verify(const BackupManifest& manifest) const;
  // The file, synced, at `target`, whose directory is there. DataLoss: nothing of it may be used.
  absl::Status Extract(const BackupManifest& manifest, const BackupManifest::File& file,
                       const std::string& target) const;

 private:
  std::string ObjectPath(const std::string& key_id, const BackupObject& object) const;
  std::string ManifestPath(const std::string& name) const;
  absl::Status Step(std::string_view name) const;
  absl::Status CheckSpace(int64_t needed) const;
  absl::Status WriteObject(const BackupKeys& keys, const BackupObject& object, const std::string& source) const;
  absl::StatusOr<std::vector<BackupManifest::File>> WriteObjects(const BackupKeys& keys, const std::string& source,
                                                                 int64_t& new_bytes) const;
  absl::Status WriteManifest(const BackupKeys& keys, const BackupManifest& manifest) const;
  absl::Status PruneObjects() const;

  const BackupRepositoryOptions options_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_BACKUP_REPOSITORY_H_

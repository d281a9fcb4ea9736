// The manifest of a backup: which files it has, under which objects they are kept, and what a restore needs. It is
// written last, so a backup is whole as soon as there is one.
//
// Thread safety: free functions.
#ifndef KEYFERRY_SERVICES_API_BACKUP_MANIFEST_H_
#define KEYFERRY_SERVICES_API_BACKUP_MANIFEST_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/storage/row.h"
#include "services/api/backup_object.h"
#include "services/api/shred_ledger.h"

namespace keyferry {

struct BackupManifest {
  struct File {
    // In the store's directory: `db/000123.sst`.
    std::string path;
    BackupObject object;
  };

  // `20261123T053000Z-1-4711`.
  std::string name;
  // The keyring's backup key.
  std::string key_id;
  absl::Time create_time;
  Revision revision = 0;
  // Of the files, and of those that no backup before it had.
  int64_t total_bytes = 0;
  int64_t new_bytes = 0;
  // Root keys that its rows are wrapped by.
  std::set<std::string> root_key_ids;
  // Where the shred ledger stood; a restore takes none that is behind. Count 0: there was no ledger.
  LedgerPosition ledger;
  std::vector<File> files;
};

std::string BackupName(absl::Time create_time, Revision revision);
// nullopt: no backup has such a name.
std::optional<absl::Time> TimeOfBackup(std::string_view name);
// 0: no backup has such a name.
Revision RevisionOfBackup(std::string_view name);

std::string SealManifest(const BackupKeys& keys, const BackupManifest& manifest);
// DataLoss: damaged, changed, or another backup's. FailedPrecondition: its key is not in the keyring.
absl::StatusOr<BackupManifest> OpenManifest(const FindBackupKeys& keys, const std::string& name,
                                            std::string_view sealed);
// What can be read without the key; empty when it is no manifest.
std::string KeyIdOfManifest(std::string_view sealed);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_BACKUP_MANIFEST_H_

// Backups and the shred ledger of an API as its flags want them.
//
// Thread safety: at start and end of the process.
#ifndef KEYFERRY_SERVICES_API_BACKUP_SETUP_H_
#define KEYFERRY_SERVICES_API_BACKUP_SETUP_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/api/backups.h"
#include "services/api/shred_copier.h"

namespace keyferry {

struct BackupSetup {
  std::string data_directory;
  std::string keyring_path;
  // Empty: no backups.
  std::string backup_directory;
  // Empty: DefaultShredLedger of the backup directory, or none without one.
  std::string shred_ledger;
  absl::Duration interval;
  absl::Duration retention;
};

// `shred-ledger` in the directory of backups.
std::string DefaultShredLedger(const std::string& backup_directory);

// InvalidArgument: a path inside of another one, or a duration past its limits. FailedPrecondition: the keyring has no
// backup key.
absl::Status CheckBackupSetup(const BackupSetup& setup, const Keyring& keyring);

// Destroyed in reverse. Null: not wanted.
struct RunningBackups {
  std::unique_ptr<ShredCopier> shred_copier;
  std::unique_ptr<Backups> backups;
};

// Where a backup under way keeps copies of the store's files; there is none otherwise.
std::vector<std::string> BackupCheckpointsOf(const BackupSetup& setup);

// REQUIRES: CheckBackupSetup is OK. All outlive it. `store`: beneath the barrier; `writer`: over it.
RunningBackups StartBackups(const BackupSetup& setup, const Keyring& keyring, Store& store, const Writer& writer,
                            const Clock& clock);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_BACKUP_SETUP_H_

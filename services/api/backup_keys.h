// The keys of backups and of the shred ledger: what follows from a backup key of the keyring. A backup names the key it
// was made under; without that key nothing of it opens, so destroying the key destroys the backup.
//
// Thread safety: free functions; BackupKeys is immutable.
#ifndef KEYFERRY_SERVICES_API_BACKUP_KEYS_H_
#define KEYFERRY_SERVICES_API_BACKUP_KEYS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/crypto/keyring.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

struct BackupKeys {
  // Of the keyring's key.
  std::string id;
  // Names a file by its contents.
  SecretBytes naming;
  SecretBytes objects;
  SecretBytes manifests;
  SecretBytes ledger;
};

// `id` empty: the current key, which seals what is new. FailedPrecondition: the keyring has no such key; the message
// names it.
using FindBackupKeys = std::function<absl::StatusOr<std::shared_ptr<const BackupKeys>>(std::string_view id)>;

BackupKeys DeriveBackupKeys(const Keyring::Key& key);
// The keyring outlives the function.
FindBackupKeys BackupKeysOf(const Keyring& keyring);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_BACKUP_KEYS_H_

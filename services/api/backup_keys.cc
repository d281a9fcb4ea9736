#include "services/api/backup_keys.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

SecretBytes Derive(const Keyring::Key& key, std::string_view purpose) {
  return HkdfSha256(key.bytes->Access(), "", purpose, kKeyBytes);
}

absl::Status NoSuchKey(std::string_view id) {
  const absl::string_view shown(id.data(), id.size());
  return absl::FailedPreconditionError(
      id.empty() ? "the keyring has no current key of purpose backup; add one: keyferry-api keyring add backup"
                 : absl::StrCat("the keyring lacks the backup key ", shown,
                                ": give the keyring of the time when this was written; if that key was destroyed, "
                                "nothing can open it any more"));
}

}  // namespace

BackupKeys DeriveBackupKeys(const Keyring::Key& key) {
  return {.id = key.id,
          .naming = Derive(key, "keyferry/backup-naming/v1"),
          .objects = Derive(key, "keyferry/backup-objects/v1"),
          .manifests = Derive(key, "keyferry/backup-manifests/v1"),
          .ledger = Derive(key, "keyferry/shred-ledger/v1")};
}

FindBackupKeys BackupKeysOf(const Keyring& keyring) {
  return [&keyring](std::string_view id) -> absl::StatusOr<std::shared_ptr<const BackupKeys>> {
    const absl::StatusOr<Keyring::Key> key =
        id.empty() ? keyring.Current(KeyPurpose::kBackup) : keyring.Find(KeyPurpose::kBackup, id);
    if (!key.ok()) return NoSuchKey(id);
    return std::make_shared<const BackupKeys>(DeriveBackupKeys(*key));
  };
}

}  // namespace keyferry

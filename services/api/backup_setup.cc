#include "services/api/backup_setup.h"

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/storage/durable_files.h"
#include "services/api/backup_files.h"

namespace keyferry {
namespace {

constexpr char kCheckpoint[] = "/backup-checkpoint";

std::string LedgerOf(const BackupSetup& setup) {
  if (!setup.shred_ledger.empty() || setup.backup_directory.empty()) return setup.shred_ledger;
  return DefaultShredLedger(setup.backup_directory);
}

absl::Status CheckOutside(std::string_view what, const std::string& path, std::string_view of_what,
                          const std::string& directory) {
  if (path.empty() || directory.empty() || !LiesInside(path, directory)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(absl::string_view(what.data(), what.size()), " ", path,
                                                 " lies inside ", absl::string_view(of_what.data(), of_what.size()),
                                                 " ", directory, "; whoever loses the one loses both"));
}

}  // namespace

std::string DefaultShredLedger(const std::string& backup_directory) { return backup_directory + "/shred-ledger"; }

absl::Status CheckBackupSetup(const BackupSetup& setup, const Keyring& keyring) {
  const std::string ledger = LedgerOf(setup);
  if (ledger.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckOutside("--backup-directory", setup.backup_directory, "--data-dir", setup.data_directory));
  RETURN_IF_ERROR(CheckOutside("--shred-ledger", ledger, "--data-dir", setup.data_directory));
  RETURN_IF_ERROR(CheckOutside("--data-dir", setup.data_directory, "--backup-directory", setup.backup_directory));
  RETURN_IF_ERROR(CheckOutside("--keyring", setup.keyring_path, "--backup-directory", setup.backup_directory));
  if (setup.interval != absl::ZeroDuration() && setup.interval < kMinBackupInterval)
    return absl::InvalidArgumentError(absl::StrCat("--backup-interval must be 0, for no schedule, or at least ",
                                                   absl::FormatDuration(kMinBackupInterval)));
  if (setup.interval > kMaxBackupInterval)
    return absl::InvalidArgumentError(
        absl::StrCat("--backup-interval must be at most ", absl::FormatDuration(kMaxBackupInterval)));
  if (setup.retention < kMinBackupRetention)
    return absl::InvalidArgumentError(
        absl::StrCat("--backup-retention must be at least ", absl::FormatDuration(kMinBackupRetention)));
  return BackupKeysOf(keyring)("").status();
}

std::vector<std::string> BackupCheckpointsOf(const BackupSetup& setup) {
  const std::string path = setup.data_directory + kCheckpoint;
  return {path, path + ".unfinished"};
}

RunningBackups StartBackups(const BackupSetup& setup, const Keyring& keyring, Store& store, const Writer& writer,
                            const Clock& clock) {
  RunningBackups running;
  const std::string ledger = LedgerOf(setup);
  // The ledger is in there before the first backup; what does not work out, both of them say.
  if (!setup.backup_directory.empty()) (void)MakeDirectories(setup.backup_directory);
  if (!ledger.empty()) running.shred_copier = ShredCopier::Start(writer, clock, ledger, BackupKeysOf(keyring));
  if (setup.backup_directory.empty()) return running;
  running.backups = Backups::Start({.store = store,
                                    .clock = clock,
                                    .checkpoint_directory = setup.data_directory + kCheckpoint,
                                    .repository = {.directory = setup.backup_directory, .keys = BackupKeysOf(keyring)},
                                    .interval = setup.interval,
                                    .retention = setup.retention,
                                    .ledger = [copier = running.shred_copier.get()] { return copier->CopyNow(); }});
  return running;
}

}  // namespace keyferry

#include "services/api/restore_command.h"

#include <cstdio>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/status_macros.h"
#include "services/api/backup_files.h"
#include "services/api/backup_setup.h"
#include "services/api/restore.h"
#include "services/api/root_key_provider.h"
#include "services/api/serve.h"

ABSL_FLAG(std::string, from, "", "restore, verify-backup: directory of backups.");
ABSL_FLAG(std::string, backup, "", "restore, verify-backup: name of the backup; the newest where absent.");
ABSL_FLAG(bool, without_shred_ledger, false,
          "restore, verify-backup: there is no shred ledger; what was deleted or revoked since the backup comes back.");
ABSL_FLAG(bool, dry_run, false, "restore: verify the backup and the ledger, write nothing.");

namespace keyferry {
namespace {

void Say(std::string_view text) { std::fprintf(stdout, "%.*s\n", static_cast<int>(text.size()), text.data()); }

template <typename... Parts>
void Say(const Parts&... parts) {
  Say(std::string_view(absl::StrCat(parts...)));
}

int ExitCodeOf(const absl::Status& status) {
  const bool configuration =
      absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status) || absl::IsNotFound(status);
  return configuration ? kExitConfiguration : kExitStore;
}

absl::StatusOr<RestoreRequest> RequestOf(const ApiOptions& options, const Keyring& keyring, bool dry_run) {
  RestoreRequest request{.repository = {.directory = absl::GetFlag(FLAGS_from), .keys = BackupKeysOf(keyring)},
                         .backup = absl::GetFlag(FLAGS_backup),
                         .data_directory = options.data_directory};
  if (request.repository.directory.empty())
    return absl::InvalidArgumentError("missing: --from, the directory of backups");
  if (!dry_run && request.data_directory.empty())
    return absl::InvalidArgumentError("missing: --data-dir, the empty directory to restore into");
  const bool without_ledger = absl::GetFlag(FLAGS_without_shred_ledger);
  if (without_ledger && !options.shred_ledger.empty())
    return absl::InvalidArgumentError("--shred-ledger and --without-shred-ledger exclude each other");
  if (!without_ledger)
    request.shred_ledger =
        options.shred_ledger.empty() ? DefaultShredLedger(request.repository.directory) : options.shred_ledger;
  else
    request.unused_ledger = DefaultShredLedger(request.repository.directory);
  if (!dry_run && (LiesInside(request.data_directory, request.repository.directory) ||
                   LiesInside(request.repository.directory, request.data_directory)))
    return absl::InvalidArgumentError("--data-dir and --from must not lie within each other");
  return request;
}

void SayReport(const RestoreReport& report) {
  Say("backup ", report.backup.name, " of ", absl::FormatTime(report.backup.create_time, absl::UTCTimeZone()),
      ", revision ", report.backup.revision, ": ", report.backup.files.size(), " files, ", report.backup.total_bytes,
      " bytes, all verified");
  Say("shred ledger: ", report.shred_count, " records");
}

void SayRestored(const RestoreReport& report, const std::string& directory) {
  int64_t rows = 0;
  for (const auto& [family, count] : report.row_counts) {
    Say("rows of ", family, ": ", count);
    rows += count;
  }
  Say("every row opens: ", rows);
  for (const std::string& name : report.replayed.organizations) Say("stays deleted: organization ", name);
  for (const std::string& name : report.replayed.secret_sets) Say("stays deleted: secret set ", name);
  for (const std::string& name : report.replayed.deployments)
    Say("deleted, because it holds values of a deleted set: deployment ", name);
  for (const std::string& name : report.replayed.revoked) Say("stays revoked: ", name);
  for (const auto& [region, ids] : report.sealing_key_ids)
    Say("region ", region, " needs the private halves of sealing keys: ", ids.empty() ? "none" : absl::StrJoin(ids, " "));
  Say("restored into ", directory, ": lineage ", report.lineage, ", revision ", report.head,
      "; start keyferry-api with it");
}

absl::StatusOr<RestoreReport> Run(const ApiOptions& options, bool dry_run) {
  if (options.keyring.empty()) return absl::InvalidArgumentError("missing: --keyring");
  ASSIGN_OR_RETURN(const Keyring keyring, Keyring::Load(options.keyring, options.data_directory));
  ASSIGN_OR_RETURN(const RestoreRequest request, RequestOf(options, keyring, dry_run));
  if (dry_run) return VerifyBackup(request);
  ASSIGN_OR_RETURN(Keyring root_keyring, Keyring::Load(options.keyring, options.data_directory));
  const auto keyring_root_keys = KeyringRootKeys::Create(std::move(root_keyring));
  ASSIGN_OR_RETURN(
      const RootKeyProvider root,
      OpenRootKeys({.kms_socket = options.kms_socket, .wrap_with = options.wrap_with}, *keyring_root_keys));
  return Restore(request, *root.keys, SystemClock());
}

}  // namespace

int RunRestoreCommand(const ApiOptions& options) {
  const bool dry_run = options.restore_command == "verify-backup" || absl::GetFlag(FLAGS_dry_run);
  const absl::StatusOr<RestoreReport> report = Run(options, dry_run);
  if (!report.ok()) return Fail(report.status(), ExitCodeOf(report.status()));
  SayReport(*report);
  if (!dry_run) SayRestored(*report, options.data_directory);
  if (!dry_run && absl::GetFlag(FLAGS_without_shred_ledger)) {
    Say("WARNING: credentials revoked since the backup are valid again: revoke them again before opening the doors; the "
        "audit trail's second sink lists them");
  }
  return 0;
}

}  // namespace keyferry

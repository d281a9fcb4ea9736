// Bringing a store back from a backup, beside a stopped API: into an empty directory, or not at all.
//
// Invariants:
//   X1  The directory becomes a store that opens only when all of this was done: every file verified, every row opened,
//   a lineage begun above every other
//       that the backups and the ledger know of, the shred ledger replayed. A crash before leaves a directory that no
//       API opens.
//   X2  What fails leaves the directory empty, as it was.
//   X3  Nothing outside of the directory is written.
//
// Thread safety: free functions; block.
#ifndef KEYFERRY_SERVICES_API_RESTORE_H_
#define KEYFERRY_SERVICES_API_RESTORE_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/crypto/root_keys.h"
#include "services/api/backup_repository.h"
#include "services/api/restore_replay.h"

namespace keyferry {

struct RestoreRequest {
  BackupRepositoryOptions repository;
  // Empty: the newest.
  std::string backup;
  std::string data_directory;
  // nullopt: without one; then nothing of `unused_ledger`, which need not be there, is done again, but its lineages are
  // passed over.
  std::optional<std::string> shred_ledger;
  std::string unused_ledger;
};

struct RestoreReport {
  BackupManifest backup;
  // Of the ledger.
  int64_t shred_count = 0;
  // By family.
  std::map<std::string, int64_t> row_counts;
  ReplayReport replayed;
  // By region: ids of the sealing keys that it names, the newest first. Values are sealed to them.
  std::map<std::string, std::vector<std::string>> sealing_key_ids;
  uint64_t lineage = 0;
  Revision head = 0;
};

// Reads and opens every object of the backup and the ledger, and writes nothing. NotFound: no such backup. DataLoss
// names what is damaged, or a ledger that does not follow from itself or lacks what it had when a backup was made.
// FailedPrecondition: the keyring lacks a key; or the ledger is missing.
absl::StatusOr<RestoreReport> VerifyBackup(const RestoreRequest& request);

// Errors as of VerifyBackup, and: FailedPrecondition: the directory is not empty, or the root keys are not those of the
// backup; ResourceExhausted: the disk.
absl::StatusOr<RestoreReport> Restore(const RestoreRequest& request, RootKeys& root_keys, const Clock& clock);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_RESTORE_H_

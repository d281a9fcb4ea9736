// The shred ledger: a file outside the store, and outside its backups, that remembers what was deleted for good, so
// that a restored backup does not bring it back. One line a record, in order of revision, sealed and chained: a line
// that was edited, dropped, moved or comes from another ledger does not open. docs/storage-format.md has its bytes.
//
// How a delete gets there: its commit writes a ShredRow (keys::Shred), which cannot be lost; the ShredCopier
// (shred_copier.h) appends it, in order, within moments. Deletes do not wait for the file: what is not in it yet is done
// in a backup that has the row. Revocations of credentials go the same way (shred_rows.h).
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_SHRED_LEDGER_H_
#define KEYFERRY_SERVICES_API_SHRED_LEDGER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/storage/row.h"
#include "services/api/backup_keys.h"

namespace keyferry {

struct ShredRecord {
  // Empty: no delete, but the begin of a lineage (that of `revision`). Or the kind of a revocation (RevocationOf): then
  // set_uid is the id of what was revoked, of a provisioner `region/id`, and `time` when.
  std::string organization_uid;
  std::string organization;
  // Empty: the whole organization.
  std::string set_uid;
  std::string set;
  absl::Time time;
  // Of the delete's commit.
  Revision revision = 0;
};

// Where a ledger's chain stood: after so many records.
struct LedgerPosition {
  int64_t count = 0;
  std::string hash;
  friend bool operator==(const LedgerPosition&, const LedgerPosition&) = default;
};

struct LedgerContents {
  std::vector<ShredRecord> records;
  // hashes[i]: the chain's hash after i records.
  std::vector<std::string> hashes;

  LedgerPosition position() const { return {static_cast<int64_t>(records.size()), hashes.back()}; }
  // The ledger once stood there.
  bool Passed(const LedgerPosition& position) const;
  // Highest of all records; 0: none.
  uint64_t NewestLineage() const;
};

// For restores. NotFound. DataLoss: it names the first line that does not open or does not chain, an unfinished last
// one too. FailedPrecondition: the keyring lacks its key.
absl::StatusOr<LedgerContents> ReadShredLedger(const std::string& path, const FindBackupKeys& keys);

class ShredLedger {
 public:
  // Made when missing. An unfinished last line, which a crash left, is removed; lines under an older backup key are
  // sealed again under the current one. Errors as of ReadShredLedger; Unavailable: another process has it open, or the
  // disk.
  static absl::StatusOr<std::unique_ptr<ShredLedger>> Open(const std::string& path, FindBackupKeys keys);
  virtual ~ShredLedger() = default;

  // Durable on return, all or none. Unavailable: the disk; may be tried again.
  virtual absl::Status Append(std::span<const ShredRecord> records) = 0;
  virtual LedgerPosition position() const = 0;
  // Of the newest delete; 0: none. Deletes up to it are all here.
  virtual Revision last_delete() const = 0;
  virtual uint64_t newest_lineage() const = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SHRED_LEDGER_H_

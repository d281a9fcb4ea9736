// Copies what was deleted for good or revoked (ShredRows) to the shred ledger, in order of revision, as soon as it was
// committed; and the store's lineage, so that a restore can begin one above every other. The store's rows stay until
// they are in the ledger and their bytes are gone (shred_time), then they go.
//
// For whoever shreds: set shred_time with Mutation::keep_revision, or the row is appended once more, which does no
// harm.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_SHRED_COPIER_H_
#define KEYFERRY_SERVICES_API_SHRED_COPIER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "libs/common/clock.h"
#include "services/api/shred_ledger.h"
#include "services/api/transaction.h"

namespace keyferry {

// After a failure, so long until the next attempt.
inline constexpr absl::Duration kShredCopyRetry = absl::Seconds(10);

class ShredCopier {
 public:
  // Begins at once. The writer's store (the sealing view), executor and the clock outlive it.
  static std::unique_ptr<ShredCopier> Start(const Writer& writer, const Clock& clock, std::string ledger_path,
                                            FindBackupKeys keys);
  virtual ~ShredCopier() = default;

  // Copies all that is committed now and answers where the ledger stands. Blocks. FailedPrecondition: the ledger is
  // ahead of the store, so that new deletes would pass for known ones. Else as of ShredLedger.
  virtual absl::StatusOr<LedgerPosition> CopyNow() = 0;
  // Of the last attempt.
  virtual absl::Status problem() const = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SHRED_COPIER_H_

// Deletes and revokes once more, in a store that a backup brought back, what the shred ledger says was deleted for good
// or revoked.
//
// Thread safety: free functions, on a store that nobody else uses.
#ifndef KEYFERRY_SERVICES_API_RESTORE_REPLAY_H_
#define KEYFERRY_SERVICES_API_RESTORE_REPLAY_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/storage/store.h"
#include "services/api/shred_ledger.h"

namespace keyferry {

// As `organization` or `organization/name`.
struct ReplayReport {
  std::vector<std::string> organizations;
  std::vector<std::string> secret_sets;
  // They bound such a set, and hold its values.
  std::vector<std::string> deployments;
  // `API key ID`, `identity SPIFFE-ID`, `provisioner REGION/ID`, `enrollment token ID`.
  std::vector<std::string> revoked;
};

// What is there under the record's uid is deleted as its delete did it: its rows go, its region shall hold nothing of
// it, and a ShredRow tells of it. What is not there, or has another uid, is left. An organization is marked as deleted,
// its sets, deployments and API keys go now, and the rest as after every delete of an organization. `sealed`: the
// barrier's view. Revoked credentials are revoked again. Enrollment tokens end all: which of them were used or revoked
// since is in no ledger. Safe to repeat.
absl::StatusOr<ReplayReport> ReplayShreds(Store& sealed, Term term, std::span<const ShredRecord> records,
                                          absl::Time now);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_RESTORE_REPLAY_H_

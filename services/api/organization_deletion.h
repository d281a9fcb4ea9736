// Deleting organizations. One commit marks the organization as deleted: from then on it is absent for every caller. The rest goes in the background, in
// small steps, one organization at a time, and goes on after a restart:
//   1. every region is told to delete what it holds of it (these rows are the system's, and stay until the region has proved it);
//   2. its rows are erased;
//   3. its keys are erased and its own row is emptied, in one commit: whatever is left anywhere is noise. The row stays: the name is retired.
// The bytes are wiped from the store's files by the Shredder (shredder.h).
//
// Invariant: nothing is written for an organization after its mark: every use case reads its row in its own transaction.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_ORGANIZATION_DELETION_H_
#define KEYFERRY_SERVICES_API_ORGANIZATION_DELETION_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/api/api_keys.h"
#include "services/api/use_case.h"

namespace keyferry {

// In one commit, and between two of them.
inline constexpr size_t kDeletedRowsPerStep = 64;
inline constexpr absl::Duration kDeletionStepInterval = absl::Milliseconds(2);
// After a failure.
inline constexpr absl::Duration kDeletionRetry = absl::Seconds(5);

// All of it outlives the executor's work.
struct OrganizationDeletionParts {
  UseCaseDeps deps;
  // Beneath the barrier: what goes is found also where it does not open.
  Store& beneath;
  ApiKeys& api_keys;
  // What else remembers organizations by name; may be empty.
  std::function<void(const std::string& organization)> forget;
};

class OrganizationDeletion {
 public:
  static std::unique_ptr<OrganizationDeletion> Create(const OrganizationDeletionParts& parts);
  virtual ~OrganizationDeletion() = default;

  // Goes on with what was under way. Once, before anything is served. The store's error.
  virtual absl::Status Start() = 0;

  // NotFound ORGANIZATION_NOT_FOUND. FailedPrecondition CONFIRMATION_MISMATCH: `confirmation` is not the name. When done is told OK, its API
  // keys are refused.
  virtual void Delete(const std::string& organization, const std::string& confirmation, std::function<void(absl::Status)> done) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ORGANIZATION_DELETION_H_

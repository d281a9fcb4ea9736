// SetScene: what every write of a secret set begins with, read and pinned, and how its answer is made and remembered.
//
// Thread safety: confined to one thread with its transaction.
#ifndef KEYFERRY_SERVICES_API_SET_SCENE_H_
#define KEYFERRY_SERVICES_API_SET_SCENE_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/api/requests.h"
#include "services/api/secret_sets.h"

namespace keyferry {

struct SetScene {
  OrganizationRow organization;
  std::shared_ptr<const OrganizationKeys> keys;
  absl::Time now;
  // What this request was answered when it came first; then nothing else is to be done.
  std::optional<std::string> answer;
  // As it is; nullopt when there is none.
  std::optional<SecretSet> set;
};

// For the texts of its conflicts.
WriteSubject SubjectOf(const SetWrite& write);

// Checks the etag, unless there is an answer already.
absl::StatusOr<SetScene> OpenScene(Transaction& transaction, const UseCaseDeps& deps, const SetWrite& write,
                                   const IdempotentRequest& request);
// OpenScene, for a write that needs the set: NotFound SECRET_SET_NOT_FOUND.
absl::StatusOr<SetScene> OpenExisting(Transaction& transaction, const UseCaseDeps& deps, const SetWrite& write,
                                      const IdempotentRequest& request);

// The newest generation of a set, or an older one. nullopt when it is not kept.
absl::StatusOr<std::optional<Generation>> ReadGeneration(Transaction& transaction, const SecretSet& set,
                                                         int64_t number);

// Of a write that made `written` out of `before`.
absl::StatusOr<SetWriteAnswer> Changed(Transaction& transaction, const UseCaseDeps& deps, const std::optional<SecretSet>& before,
                                       SecretSet written);
// Of one that changes nothing; asks a region that had failed again.
absl::StatusOr<SetWriteAnswer> Unchanged(Transaction& transaction, const UseCaseDeps& deps, const SetScene& scene);

// For the audit record of a write that leaves this set, or erases it.
void DescribeChange(Transaction& transaction, const SecretSet& set);

std::string EncodeAnswer(const SetWriteAnswer& answer);
// DataLoss.
absl::StatusOr<SetWriteAnswer> DecodeAnswer(const SetWrite& write, const std::string& bytes);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_SCENE_H_

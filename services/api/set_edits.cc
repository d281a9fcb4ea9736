// The writes of SecretSets that bring no values: unset, rollback, delete.
#include <algorithm>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"
#include "services/api/placements.h"
#include "services/api/quotas.h"
#include "services/api/requests.h"
#include "services/api/secret_sets.h"
#include "services/api/set_draft.h"
#include "services/api/set_scene.h"

namespace keyferry {
namespace {

constexpr size_t kMaxUsesNamed = 20;

IdempotentRequest RequestOf(const SetWrite& write, std::string rpc, std::string detail) {
  return IdempotentRequest(write.organization, write.conditions.validate_only ? "" : write.conditions.request_id,
                           {.rpc = std::move(rpc), .parts = {write.name, std::move(detail)}});
}

absl::Status CheckWrite(const SetWrite& write, std::optional<FieldViolation> key_violation = std::nullopt) {
  Violations violations;
  violations.Add("INVALID_SECRET_SET_NAME", CheckSecretSetName("secret_set", write.name));
  violations.Add("INVALID_SECRET_KEY", std::move(key_violation));
  CheckConditions(write.conditions, violations);
  return violations.ToStatus();
}

absl::StatusOr<Generation> NewestGeneration(Transaction& transaction, const SecretSet& set) {
  ASSIGN_OR_RETURN(std::optional<Generation> newest, ReadGeneration(transaction, set, set.generation));
  if (!newest) return absl::DataLossError("a set's newest generation is not there");
  return *std::move(newest);
}

absl::Status CheckHasKey(const SecretSet& set, const std::string& key) {
  if (set.type == SecretSetType::kImagePullSecret) {
    return InvalidFields("INVALID_SECRET_SET_TYPE",
                         {{"secret_set", absl::StrCat("\"", set.name,
                                                      "\" is an image pull secret, which has no keys; "
                                                      "set it again or delete it")}});
  }
  for (const SecretSetEntry& entry : set.entries) {
    if (entry.key == key) return absl::OkStatus();
  }
  return NotFound("SECRET_NOT_FOUND", absl::StrCat("secret set \"", set.name, "\" has no key \"", key, "\""), key);
}

absl::StatusOr<SetWriteAnswer> PlanUnset(Transaction& transaction, const UseCaseDeps& deps, const SetWrite& write,
                                         const std::string& key) {
  const IdempotentRequest request = RequestOf(write, "UnsetSecret", key);
  ASSIGN_OR_RETURN(const SetScene scene, OpenExisting(transaction, deps, write, request));
  if (scene.answer) return DecodeAnswer(write, *scene.answer);
  RETURN_IF_ERROR(CheckHasKey(*scene.set, key));
  ASSIGN_OR_RETURN(const Generation newest, NewestGeneration(transaction, *scene.set));
  ASSIGN_OR_RETURN(SetDraft draft, SetDraft::After(*scene.set, newest));
  draft.Erase(key);
  ASSIGN_OR_RETURN(SecretSet written,
                   std::move(draft).Write(transaction, scene.organization.uid, write.author, scene.now));
  ASSIGN_OR_RETURN(SetWriteAnswer answer, Changed(transaction, deps, scene.set, std::move(written)));
  request.Remember(transaction, *scene.keys, /*blind=*/false, EncodeAnswer(answer), scene.now);
  DescribeChange(transaction, answer.view.set);
  return answer;
}

absl::Status GenerationNotFound(const SecretSet& set, int64_t number) {
  const int64_t oldest = std::max<int64_t>(1, set.generation - kMaxGenerationsKept + 1);
  return NotFound("GENERATION_NOT_FOUND",
                  absl::StrCat("secret set \"", set.name, "\" has no generation ", number, "; kept are ", oldest,
                               " to ", set.generation),
                  absl::StrCat(number));
}

// Never known of a blind region, except that a generation is as itself.
bool SameContents(const SecretSet& set, const Generation& generation) {
  if (set.generation == generation.number) return true;
  return set.host == generation.host &&
         std::ranges::equal(set.entries, generation.entries, [](const auto& a, const auto& b) {
           return a.key == b.key && !a.fingerprint.empty() && a.fingerprint == b.fingerprint;
         });
}

absl::StatusOr<SetWriteAnswer> PlanRollback(Transaction& transaction, const UseCaseDeps& deps, const SetWrite& write,
                                            int64_t number) {
  const IdempotentRequest request = RequestOf(write, "RollbackSecretSet", absl::StrCat(number));
  ASSIGN_OR_RETURN(const SetScene scene, OpenExisting(transaction, deps, write, request));
  if (scene.answer) return DecodeAnswer(write, *scene.answer);
  ASSIGN_OR_RETURN(const std::optional<Generation> target, ReadGeneration(transaction, *scene.set, number));
  if (!target) return GenerationNotFound(*scene.set, number);

  SetWriteAnswer answer;
  if (SameContents(*scene.set, *target)) {
    ASSIGN_OR_RETURN(answer, Unchanged(transaction, deps, scene));
  } else {
    ASSIGN_OR_RETURN(SetDraft draft, SetDraft::After(*scene.set, *target));
    ASSIGN_OR_RETURN(SecretSet written,
                     std::move(draft).Write(transaction, scene.organization.uid, write.author, scene.now));
    ASSIGN_OR_RETURN(answer, Changed(transaction, deps, scene.set, std::move(written)));
  }
  request.Remember(transaction, *scene.keys, /*blind=*/false, EncodeAnswer(answer), scene.now);
  DescribeChange(transaction, answer.view.set);
  return answer;
}

absl::Status InUse(const SecretSet& set, std::vector<std::string> agents) {
  const size_t count = agents.size(), named = std::min(count, kMaxUsesNamed);
  const std::string names = absl::StrJoin(agents.begin(), agents.begin() + named, ", ");
  const std::string message =
      absl::StrCat("secret set \"", set.name, "\" is bound by ", count, count == 1 ? " deployment: " : " deployments: ", names, named < count ? ", …" : "",
                   "; delete them or bind another set first, or delete with force");
  return MakeError(absl::StatusCode::kAborted, message,
                   {.reason = "SECRET_SET_IN_USE",
                    .metadata = {{"secretSet", set.name}, {"deploymentCount", absl::StrCat(count)}},
                    .blockers = std::move(agents)});
}

// Who binds the set. Reading SetUses first makes the commit fail when a deployment comes in behind the scan.
absl::StatusOr<std::vector<std::string>> AgentsBinding(Transaction& transaction, const SecretSet& set) {
  RETURN_IF_ERROR(transaction.Read(keys::SetUses(set.organization, set.name)).status());
  std::vector<std::string> agents;
  RETURN_IF_ERROR(VisitRows(transaction.store(), keys::SetUsesOf(set.organization, set.name), "",
                            [&](const KeyedRow& row) -> absl::StatusOr<bool> {
                              agents.push_back(keys::LastPart(row.key));
                              return true;
                            }));
  return agents;
}

absl::StatusOr<std::monostate> PlanDelete(Transaction& transaction, const UseCaseDeps& deps, const SetWrite& write,
                                          bool force, QuotaClaim& claim) {
  claim.Begin();
  const IdempotentRequest request = RequestOf(write, "DeleteSecretSet", force ? "force" : "");
  ASSIGN_OR_RETURN(const SetScene scene, OpenExisting(transaction, deps, write, request));
  if (scene.answer) return std::monostate();
  const SecretSet& set = *scene.set;
  ASSIGN_OR_RETURN(std::vector<std::string> agents, AgentsBinding(transaction, set));
  if (!agents.empty() && !force) return InUse(set, std::move(agents));
  RETURN_IF_ERROR(claim.Remove());

  transaction.Erase(keys::SecretSet(set.organization, set.name));
  for (int i = 0; i < kMaxGenerationsKept && i < set.generation; ++i) {
    transaction.Erase(keys::Generation(set.organization, set.uid, set.generation - i));
  }
  for (const std::string& agent : agents) transaction.Erase(keys::SetUse(set.organization, set.name, agent));
  transaction.Erase(keys::SetUses(set.organization, set.name));
  RETURN_IF_ERROR(DesireDelete(transaction, set.region, ObjectIdOf(set), scene.now));
  // So that no restored backup brings it back.
  transaction.Put(keys::Shred(scene.organization.uid, set.uid),
                  Encode(ShredRow{.organization = set.organization, .set = set.name, .delete_time = scene.now}));
  request.Remember(transaction, *scene.keys, /*blind=*/false, "", scene.now);
  DescribeChange(transaction, set);
  return std::monostate();
}

}  // namespace

void SecretSets::Unset(SetWrite write, std::string key, Done done) const {
  if (absl::Status invalid = CheckWrite(write, CheckSecretKey("key", key)); !invalid.ok()) return done(invalid);
  RunUseCase<SetWriteAnswer>(
      deps_, write.conditions.validate_only,
      [deps = deps_, write, key = std::move(key)](Transaction& transaction) {
        return PlanUnset(transaction, deps, write, key);
      },
      std::move(done), SubjectOf(write));
}

void SecretSets::Rollback(SetWrite write, int64_t generation, Done done) const {
  if (absl::Status invalid = CheckWrite(write); !invalid.ok()) return done(invalid);
  RunUseCase<SetWriteAnswer>(
      deps_, write.conditions.validate_only,
      [deps = deps_, write, generation](Transaction& transaction) {
        return PlanRollback(transaction, deps, write, generation);
      },
      std::move(done), SubjectOf(write));
}

void SecretSets::Delete(SetWrite write, bool force, std::function<void(absl::Status)> done) const {
  if (absl::Status invalid = CheckWrite(write); !invalid.ok()) return done(invalid);
  const bool validate_only = write.conditions.validate_only;
  auto claim = std::make_shared<QuotaClaim>(deps_.quotas, write.organization, QuotaKind::kSecretSets);
  RunUseCase<std::monostate>(
      deps_, validate_only,
      [deps = deps_, write, force, claim](Transaction& transaction) {
        return PlanDelete(transaction, deps, write, force, *claim);
      },
      [claim, validate_only, done = std::move(done)](absl::StatusOr<std::monostate> deleted) {
        claim->Settle(deleted.ok() && !validate_only);
        done(deleted.status());
      },
      SubjectOf(write));
}

}  // namespace keyferry

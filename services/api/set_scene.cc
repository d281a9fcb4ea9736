#include "services/api/set_scene.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/crypto/aead.h"
#include "libs/storage/keys.h"
#include "services/api/placement_rows.h"
#include "services/api/placements.h"

namespace keyferry {

WriteSubject SubjectOf(const SetWrite& write) {
  return {.noun = "secret set", .metadata_key = "secretSet", .name = write.name};
}

absl::StatusOr<SetScene> OpenScene(Transaction& transaction, const UseCaseDeps& deps, const SetWrite& write,
                                   const IdempotentRequest& request) {
  SetScene scene{.now = deps.clock.Now()};
  ASSIGN_OR_RETURN(scene.organization, ReadOrganization(transaction, write.organization));
  // Pinned: what is wrapped under these keys must not arrive after they are retired.
  ASSIGN_OR_RETURN(const std::optional<Row> key_row, transaction.Read(keys::WrappedKey(write.organization)));
  ASSIGN_OR_RETURN(scene.keys, deps.barrier.KeysOf(write.organization, key_row ? key_row->revision : 0));
  ASSIGN_OR_RETURN(scene.answer, request.FindAnswer(transaction, *scene.keys, scene.now));
  if (scene.answer) return scene;
  ASSIGN_OR_RETURN(scene.set, FindSet(transaction, write.organization, write.name));
  RETURN_IF_ERROR(CheckEtag(write.conditions.etag, scene.set ? scene.set->Etag() : "", SubjectOf(write)));
  return scene;
}

absl::StatusOr<SetScene> OpenExisting(Transaction& transaction, const UseCaseDeps& deps, const SetWrite& write,
                                      const IdempotentRequest& request) {
  SetWrite unconditional = write;
  unconditional.conditions.etag.clear();
  ASSIGN_OR_RETURN(SetScene scene, OpenScene(transaction, deps, unconditional, request));
  if (scene.answer) return scene;
  if (!scene.set) return SecretSetNotFound(write.name);
  RETURN_IF_ERROR(CheckEtag(write.conditions.etag, scene.set->Etag(), SubjectOf(write)));
  return scene;
}

absl::StatusOr<std::optional<Generation>> ReadGeneration(Transaction& transaction, const SecretSet& set,
                                                         int64_t number) {
  ASSIGN_OR_RETURN(auto row, transaction.Get<Generation>(keys::Generation(set.organization, set.uid, number)));
  if (!row) return std::nullopt;
  row->value.number = number;
  return std::move(row->value);
}

absl::StatusOr<SetWriteAnswer> Changed(Transaction& transaction, const UseCaseDeps& deps, const std::optional<SecretSet>& before,
                                       SecretSet written) {
  SetWriteAnswer answer{.changed = true};
  if (before) {
    // The write has read both rows.
    ASSIGN_OR_RETURN(const PlacementRows rows, ReadPlacementRows(transaction, before->region, ObjectIdOf(*before), 0));
    if (rows.desired && rows.desired->uid == before->uid && rows.observed && rows.observed->uid == before->uid) {
      answer.view.status.observed_generation = rows.observed->generation;
      answer.view.status.ready_generation = rows.observed->ready_generation;
    }
  }
  if (deps.region_connected) answer.view.region_connected = deps.region_connected(written.region);
  answer.view.status.last_transition_time = written.update_time;
  answer.view.set = std::move(written);
  return answer;
}

absl::StatusOr<SetWriteAnswer> Unchanged(Transaction& transaction, const UseCaseDeps& deps, const SetScene& scene) {
  const SecretSet& set = *scene.set;
  SetWriteAnswer answer;
  ASSIGN_OR_RETURN(answer.view, ViewOf(deps, set));
  if (answer.view.status.readiness == Readiness::kFailed) {
    RETURN_IF_ERROR(
        DesireApply(transaction, set.region, ObjectIdOf(set), set.uid, set.generation, set.digest, scene.now));
    answer.view.status.readiness = Readiness::kPending;
    answer.view.status.error_message.clear();
    answer.view.status.error_reason.clear();
  }
  return answer;
}

void DescribeChange(Transaction& transaction, const SecretSet& set) {
  transaction.Describe({.kind = "secretSet", .name = set.name, .region = set.region, .generation = set.generation});
}

std::string EncodeAnswer(const SetWriteAnswer& answer) {
  const PlacementStatus& status = answer.view.status;
  return JoinParts({answer.changed ? "1" : "0", absl::StrCat(static_cast<int>(status.readiness)),
                    absl::StrCat(status.observed_generation), absl::StrCat(status.ready_generation),
                    status.error_reason, status.error_message, Encode(answer.view.set)});
}

absl::StatusOr<SetWriteAnswer> DecodeAnswer(const SetWrite& write, const std::string& bytes) {
  const auto parts = SplitParts(bytes);
  int readiness = 0;
  SetWriteAnswer answer;
  PlacementStatus& status = answer.view.status;
  if (!parts || parts->size() != 7 || !absl::SimpleAtoi((*parts)[1], &readiness) ||
      !absl::SimpleAtoi((*parts)[2], &status.observed_generation) ||
      !absl::SimpleAtoi((*parts)[3], &status.ready_generation)) {
    return absl::DataLossError("a remembered answer cannot be read");
  }
  answer.changed = (*parts)[0] == "1";
  status.readiness = static_cast<Readiness>(readiness);
  status.error_reason = (*parts)[4];
  status.error_message = (*parts)[5];
  ASSIGN_OR_RETURN(answer.view.set, Decode<SecretSet>((*parts)[6]));
  answer.view.set.organization = write.organization;
  answer.view.set.name = write.name;
  return answer;
}

}  // namespace keyferry

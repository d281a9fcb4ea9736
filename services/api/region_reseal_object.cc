#include "services/api/region_reseal_object.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "libs/common/limits.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/reseal.h"
#include "libs/rpc/sealed_object_codec.h"
#include "libs/storage/keys.h"
#include "services/api/deployment_rows.h"
#include "services/api/paging.h"
#include "services/api/placements.h"
#include "services/api/set_scene.h"

namespace keyferry {
namespace {

struct Resealing {
  Transaction& transaction;
  const UseCaseDeps& deps;
  const std::string& region;
  const RegionRow& region_row;
  std::shared_ptr<const OrganizationKeys> keys;
};

// Of the set whose values the data key seals. A deployment's belong to two sets.
std::string SetUidOf(const SealedObject& object, const std::string& set_uid, const std::string& data_key_id) {
  return object.pull_entry.data_key_id == data_key_id ? object.pull_secret_uid : set_uid;
}

EscrowedKey* FindEscrowed(std::vector<EscrowedKey>& escrowed, const std::string& data_key_id) {
  const auto found = std::ranges::find(escrowed, data_key_id, &EscrowedKey::data_key_id);
  return found == escrowed.end() ? nullptr : &*found;
}

absl::Status ResealKey(const Resealing& resealing, const SealContext& context, SealedDataKey& key,
                       EscrowedKey& escrowed) {
  ASSIGN_OR_RETURN(const SecretBytes opened, resealing.keys->UnwrapDataKey(context, key.id, escrowed.wrapped_key));
  ASSIGN_OR_RETURN(key, SealAgain(key, opened, context, resealing.deps.sender, resealing.region_row.sealing_key));
  escrowed.wrapped_key = WrapDataKey(resealing.keys->escrow(), context, key.id, opened);
  return absl::OkStatus();
}

absl::StatusOr<ResealedObject> ResealKeys(const Resealing& resealing, const std::string& set_uid, SealedObject& object,
                                          std::vector<EscrowedKey>& escrowed_keys) {
  ResealedObject resealed;
  const std::string present = SealingKeyId(resealing.region_row.sealing_key);
  for (SealedDataKey& key : object.data_keys) {
    if (RecipientOf(key.region_box) == present) continue;
    EscrowedKey* escrowed = FindEscrowed(escrowed_keys, key.id);
    if (escrowed == nullptr) {
      resealed.blocked = true;
      continue;
    }
    const SealContext context{.organization_uid = object.organization_uid,
                              .set_uid = SetUidOf(object, set_uid, key.id)};
    RETURN_IF_ERROR(ResealKey(resealing, context, key, *escrowed));
    resealed.moved = true;
  }
  return resealed;
}

absl::StatusOr<ResealedObject> ResealGeneration(const Resealing& resealing, const SecretSet& set,
                                                Generation& generation) {
  ASSIGN_OR_RETURN(SealedObject object, ParseSealedObject(generation.sealed_object));
  ASSIGN_OR_RETURN(const ResealedObject resealed, ResealKeys(resealing, set.uid, object, generation.escrowed_keys));
  if (!resealed.moved) return resealed;
  generation.sealed_object = SerializeSealedObject(object);
  resealing.transaction.Put(keys::Generation(set.organization, set.uid, generation.number), Encode(generation));
  return resealed;
}

// All generations in one commit: whatever is made of any of them later is sealed to the present key.
absl::StatusOr<ResealedObject> ResealSet(const Resealing& resealing, const ObjectId& object) {
  Transaction& transaction = resealing.transaction;
  ASSIGN_OR_RETURN(std::optional<SecretSet> set, FindSet(transaction, object.organization, object.name));
  ResealedObject all;
  if (!set || set->region != resealing.region) return all;
  for (int64_t number = std::max<int64_t>(1, set->generation - kMaxGenerationsKept + 1); number <= set->generation;
       ++number) {
    ASSIGN_OR_RETURN(std::optional<Generation> generation, ReadGeneration(transaction, *set, number));
    const bool newest = number == set->generation;
    if (newest && (!generation || Sha256(generation->sealed_object) != set->digest)) {
      return absl::DataLossError("a set's newest generation is not there, or not the one its set names");
    }
    if (!generation) continue;
    ASSIGN_OR_RETURN(const ResealedObject resealed, ResealGeneration(resealing, *set, *generation));
    all.moved |= resealed.moved;
    all.blocked |= resealed.blocked;
    if (!newest || !resealed.moved) continue;
    all.delivered_again = true;
    set->digest = Sha256(generation->sealed_object);
    transaction.Put(keys::SecretSet(set->organization, set->name), Encode(*set));
    RETURN_IF_ERROR(DesireApply(transaction, set->region, object, set->uid, set->generation, set->digest,
                                resealing.deps.clock.Now()));
  }
  return all;
}

// Deployments that were accepted before escrow copies were kept with them: the generations of their sets may still have
// them. Takes those alone that ResealKeys is about to wrap anew.
absl::Status BorrowEscrowedKeys(const Resealing& resealing, const std::string& set_uid, const SealedObject& object,
                                Deployment& deployment) {
  if (set_uid.empty()) return absl::OkStatus();
  const std::string present = SealingKeyId(resealing.region_row.sealing_key);
  const auto is_missing = [&](const SealedDataKey& key) {
    return RecipientOf(key.region_box) != present && FindEscrowed(deployment.escrowed_keys, key.id) == nullptr;
  };
  if (std::ranges::none_of(object.data_keys, is_missing)) return absl::OkStatus();
  const auto is_wanted = [&](const EscrowedKey& escrowed) {
    const auto named = std::ranges::find(object.data_keys, escrowed.data_key_id, &SealedDataKey::id);
    return named != object.data_keys.end() && is_missing(*named);
  };
  return VisitRows(resealing.transaction.store(), keys::Generations(deployment.organization, set_uid), "",
                   [&](const KeyedRow& row) -> absl::StatusOr<bool> {
                     ASSIGN_OR_RETURN(Generation generation, Decode<Generation>(row.row.value));
                     for (EscrowedKey& key : generation.escrowed_keys) {
                       if (is_wanted(key)) deployment.escrowed_keys.push_back(std::move(key));
                     }
                     return true;
                   });
}

absl::StatusOr<ResealedObject> ResealDeployment(const Resealing& resealing, const ObjectId& id) {
  Transaction& transaction = resealing.transaction;
  ASSIGN_OR_RETURN(std::optional<Deployment> deployment, FindDeployment(transaction, id.organization, id.name));
  if (!deployment || deployment->region != resealing.region) return ResealedObject();
  ASSIGN_OR_RETURN(SealedObject object, ParseSealedObject(deployment->sealed_object));
  RETURN_IF_ERROR(BorrowEscrowedKeys(resealing, deployment->secret_set_uid, object, *deployment));
  RETURN_IF_ERROR(BorrowEscrowedKeys(resealing, deployment->image_pull_secret_uid, object, *deployment));
  ASSIGN_OR_RETURN(ResealedObject resealed,
                   ResealKeys(resealing, deployment->secret_set_uid, object, deployment->escrowed_keys));
  if (!resealed.moved) return resealed;
  resealed.delivered_again = true;
  deployment->sealed_object = SerializeSealedObject(object);
  deployment->digest = Sha256(deployment->sealed_object);
  transaction.Put(keys::Deployment(deployment->organization, deployment->agent), Encode(*deployment));
  RETURN_IF_ERROR(DesireApply(transaction, deployment->region, id, deployment->uid, deployment->generation,
                              deployment->digest, resealing.deps.clock.Now()));
  return resealed;
}

}  // namespace

absl::StatusOr<ResealedObject> ResealObject(Transaction& transaction, const UseCaseDeps& deps,
                                            const std::string& region, const ObjectId& object) {
  ASSIGN_OR_RETURN(const auto row, transaction.Get<RegionRow>(keys::Region(region)));
  if (!row || row->value.sealing_key.empty()) return ResealedObject();
  // Pinned: what is wrapped below must not get in after a rotation of these keys has gone by (B2 in barrier.h).
  ASSIGN_OR_RETURN(const std::optional<Row> key_row, transaction.Read(keys::WrappedKey(object.organization)));
  if (!key_row) return ResealedObject();
  Resealing resealing{.transaction = transaction, .deps = deps, .region = region, .region_row = row->value};
  ASSIGN_OR_RETURN(resealing.keys, deps.barrier.KeysOf(object.organization, key_row->revision));
  return object.kind == ObjectKind::kSecretSet ? ResealSet(resealing, object) : ResealDeployment(resealing, object);
}

}  // namespace keyferry

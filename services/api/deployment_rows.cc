#include "services/api/deployment_rows.h"

#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/crypto/aead.h"
#include "libs/rpc/sealed_object_codec.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"
#include "services/api/requests.h"
#include "services/api/set_scene.h"

namespace keyferry {
namespace {

constexpr std::string_view kReadyMark = "ready";
constexpr std::string_view kPendingMark = "pending";

std::set<std::string> SetsOf(const Deployment& deployment) {
  std::set<std::string> sets{deployment.secret_set, deployment.image_pull_secret};
  sets.erase("");
  return sets;
}

void TouchUses(Transaction& transaction, const Deployment& deployment, const std::string& set) {
  transaction.Put(keys::SetUses(deployment.organization, set), "");
}

void EraseUses(Transaction& transaction, const Deployment& deployment, const std::set<std::string>& sets) {
  for (const std::string& set : sets) {
    transaction.Erase(keys::SetUse(deployment.organization, set, deployment.agent));
    TouchUses(transaction, deployment, set);
  }
}

// The set's sealed object; its escrowed keys go to the deployment, so that it can be sealed again when the set is long gone.
absl::StatusOr<SealedObject> TakeSealedObject(Transaction& transaction, const SecretSet& set, Deployment& deployment) {
  ASSIGN_OR_RETURN(std::optional<Generation> generation, ReadGeneration(transaction, set, set.generation));
  if (!generation || Sha256(generation->sealed_object) != set.digest) {
    return absl::DataLossError("a set's newest generation is not there, or not the one its set names");
  }
  for (EscrowedKey& key : generation->escrowed_keys) deployment.escrowed_keys.push_back(std::move(key));
  return ParseSealedObject(generation->sealed_object);
}

absl::Status TakeEntries(Transaction& transaction, const SecretSet& set, Deployment& deployment, SealedObject& object) {
  ASSIGN_OR_RETURN(SealedObject of_set, TakeSealedObject(transaction, set, deployment));
  object.secret_set = set.name;
  object.secret_set_uid = set.uid;
  object.secret_set_generation = set.generation;
  object.entries = std::move(of_set.entries);
  object.data_keys = std::move(of_set.data_keys);
  return absl::OkStatus();
}

absl::Status TakePullEntry(Transaction& transaction, const SecretSet& set, Deployment& deployment, SealedObject& object) {
  ASSIGN_OR_RETURN(SealedObject of_set, TakeSealedObject(transaction, set, deployment));
  if (of_set.entries.size() != 1) return absl::DataLossError("an image pull secret does not hold one entry");
  object.pull_secret_uid = set.uid;
  object.image_pull_secret_name = set.name;
  object.pull_secret_host = set.host;
  object.pull_entry = std::move(of_set.entries.front());
  for (SealedDataKey& key : of_set.data_keys) object.data_keys.push_back(std::move(key));
  return absl::OkStatus();
}

}  // namespace

ObjectId ObjectIdOf(const Deployment& deployment) {
  return {.kind = ObjectKind::kDeployment, .organization = deployment.organization, .name = deployment.agent};
}

absl::Status DeploymentNotFound(const std::string& agent) {
  return NotFound("DEPLOYMENT_NOT_FOUND", absl::StrCat("agent \"", agent, "\" does not exist in this organization"),
                  agent);
}

absl::StatusOr<std::optional<Deployment>> FindDeployment(Transaction& transaction, const std::string& organization,
                                                         const std::string& agent) {
  ASSIGN_OR_RETURN(auto row, transaction.Get<Deployment>(keys::Deployment(organization, agent)));
  if (!row) return std::nullopt;
  row->value.organization = organization;
  row->value.agent = agent;
  return std::move(row->value);
}

absl::StatusOr<std::optional<DeploymentView>> CurrentView(const UseCaseDeps& deps, Deployment deployment) {
  while (true) {
    Transaction reads(deps.writer.store);
    DeploymentView view{.deployment = std::move(deployment)};
    const Deployment& seen = view.deployment;
    ASSIGN_OR_RETURN(view.status, ReadPlacement(reads, seen.region, ObjectIdOf(seen), seen.uid, deps.writer.term().lineage));
    if (view.status.desired_generation == seen.generation) return view;
    ASSIGN_OR_RETURN(std::optional<Deployment> now, FindDeployment(reads, seen.organization, seen.agent));
    if (!now) return std::nullopt;
    // Not a write in between: its placement is damaged.
    if (now->uid == seen.uid && now->generation == seen.generation) return view;
    deployment = *std::move(now);
  }
}

void Bind(const BoundSets& sets, Deployment& deployment) {
  deployment.keys.clear();
  if (sets.secret_set) {
    const SecretSet& set = sets.secret_set->set;
    deployment.secret_set_uid = set.uid;
    deployment.secret_set_generation = set.generation;
    for (const SecretSetEntry& entry : set.entries) deployment.keys.push_back(entry.key);
  }
  if (sets.image_pull_secret) {
    deployment.image_pull_secret_uid = sets.image_pull_secret->set.uid;
    deployment.image_pull_secret_generation = sets.image_pull_secret->set.generation;
  }
}

absl::Status TakeSealedValues(Transaction& transaction, const BoundSets& sets, const std::string& organization_uid,
                              Deployment& deployment) {
  SealedObject object{
      .generation = deployment.generation, .organization_uid = organization_uid, .image = deployment.image};
  deployment.escrowed_keys.clear();
  if (sets.secret_set) RETURN_IF_ERROR(TakeEntries(transaction, sets.secret_set->set, deployment, object));
  if (sets.image_pull_secret) RETURN_IF_ERROR(TakePullEntry(transaction, sets.image_pull_secret->set, deployment, object));
  deployment.sealed_object = SerializeSealedObject(object);
  deployment.digest = Sha256(deployment.sealed_object);
  return absl::OkStatus();
}

absl::Status WriteDeployment(Transaction& transaction, const std::optional<Deployment>& before,
                             const Deployment& deployment, absl::Time now) {
  DescribeChange(transaction, deployment);
  if (before) EraseUses(transaction, *before, SetsOf(*before));
  for (const std::string& set : SetsOf(deployment)) {
    transaction.Put(keys::SetUse(deployment.organization, set, deployment.agent), "");
    TouchUses(transaction, deployment, set);
  }
  transaction.Put(keys::Deployment(deployment.organization, deployment.agent), Encode(deployment));
  return DesireApply(transaction, deployment.region, ObjectIdOf(deployment), deployment.uid, deployment.generation,
                     deployment.digest, now);
}

absl::Status EraseDeployment(Transaction& transaction, const Deployment& deployment, absl::Time now) {
  DescribeChange(transaction, deployment);
  EraseUses(transaction, deployment, SetsOf(deployment));
  transaction.Erase(keys::Deployment(deployment.organization, deployment.agent));
  return DesireDelete(transaction, deployment.region, ObjectIdOf(deployment), now);
}

void DescribeChange(Transaction& transaction, const Deployment& deployment) {
  transaction.Describe({.kind = "deployment", .name = deployment.agent, .region = deployment.region, .generation = deployment.generation});
}

size_t WireBytesOf(const DeploymentView& view) {
  // Times, numbers, etag, two conditions in words, and what surrounds a region's error message, twice.
  constexpr size_t kRest = 1024;
  const Deployment& deployment = view.deployment;
  return kRest + TextBytesOf(deployment.required_keys) + TextBytesOf(deployment.keys) +
         TextBytesOf({deployment.organization, deployment.agent, deployment.uid, deployment.region, deployment.image,
                      deployment.secret_set, deployment.image_pull_secret, deployment.client_data, deployment.region,
                      deployment.region, view.status.error_message, view.status.error_message});
}

std::string EncodeAnswer(const DeploymentView& view) {
  Deployment slim = view.deployment;
  slim.sealed_object.clear();
  slim.escrowed_keys.clear();
  const std::string observed = absl::StrCat(view.status.observed_generation);
  const std::string ready = absl::StrCat(view.status.ready_generation);
  // What was just written is pending since then; only an answer of what was there already can say more.
  if (!view.unchanged) return JoinParts({observed, ready, Encode(slim)});
  return JoinParts({observed, ready, Encode(slim),
                    view.status.readiness == Readiness::kReady ? kReadyMark : kPendingMark,
                    absl::StrCat(absl::ToUnixNanos(view.status.last_transition_time))});
}

absl::StatusOr<DeploymentView> DecodeAnswer(const Deployment& wanted, const std::string& bytes) {
  const auto parts = SplitParts(bytes);
  DeploymentView view;
  if (!parts || (parts->size() != 3 && parts->size() != 5) ||
      !absl::SimpleAtoi((*parts)[0], &view.status.observed_generation) ||
      !absl::SimpleAtoi((*parts)[1], &view.status.ready_generation)) {
    return absl::DataLossError("a remembered answer cannot be read");
  }
  ASSIGN_OR_RETURN(view.deployment, Decode<Deployment>((*parts)[2]));
  view.status.last_transition_time = view.deployment.update_time;
  if (parts->size() == 5) {
    view.unchanged = true;
    if ((*parts)[3] == kReadyMark) view.status.readiness = Readiness::kReady;
    int64_t nanos = 0;
    if (!absl::SimpleAtoi((*parts)[4], &nanos)) return absl::DataLossError("a remembered answer cannot be read");
    view.status.last_transition_time = absl::FromUnixNanos(nanos);
  }
  view.deployment.organization = wanted.organization;
  view.deployment.agent = wanted.agent;
  return view;
}

}  // namespace keyferry

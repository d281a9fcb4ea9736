#include "services/api/testing/api_scene.h"

#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"
#include "libs/crypto/envelope.h"
#include "libs/model/names.h"
#include "libs/rpc/sealed_object_codec.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

std::vector<KeyedRow> AllRows(const Store& store) {
  std::vector<KeyedRow> all;
  for (int family = 0; family < kFamilyCount; ++family) {
    const auto rows = store.Scan({.family = static_cast<Family>(family)}, "", 100'000);
    EXPECT_THAT(rows, IsOk());
    all.insert(all.end(), rows->begin(), rows->end());
  }
  return all;
}

}  // namespace

std::vector<SecretValue> ToValues(const KeyValues& values) {
  std::vector<SecretValue> secret;
  for (const auto& [key, value] : values) secret.push_back({.key = key, .value = SecretBytes::Copy(value)});
  return secret;
}

std::vector<std::string> FieldsOf(const absl::Status& status) {
  const ErrorDetails details = DetailsOf(status).value_or(ErrorDetails());
  std::vector<std::string> fields;
  for (const FieldViolation& violation : details.violations) fields.push_back(violation.field);
  return fields;
}

std::string MetadataOf(const absl::Status& status, const std::string& name) {
  const ErrorDetails details = DetailsOf(status).value_or(ErrorDetails());
  const auto found = details.metadata.find(name);
  return found == details.metadata.end() ? "" : found->second;
}

ApiScene::ApiScene() {
  term = *faulty.AcquireWriter(Lineage::kKeep);
  barrier = *Barrier::Open(interrupting, *root_keys, term);
  deps.reset(
      new UseCaseDeps{.writer = {.store = barrier->store(), .executor = *executor, .term = [this] { return term; }},
                      .barrier = *barrier,
                      .sender = *sender,
                      .clock = clock});
  sets = std::make_unique<SecretSets>(*deps);
  deployments = std::make_unique<Deployments>(*deps);
  AddOrganization("acme");
  AddRegion("us-west");
  AddRegion("us-east");
  AddRegion("dark", /*blind=*/true);
}

void ApiScene::AddOrganization(const std::string& name, const std::string& default_region) {
  Mutation key = *barrier->NewOrganizationKey(name);
  const OrganizationRow row{.uid = NewUid(), .create_time = clock.Now(), .default_region = default_region};
  keyferry::Commit commit{.term = term};
  commit.mutations.push_back(std::move(key));
  commit.mutations.push_back({.key = keys::Organization(name), .value = Encode(row)});
  ASSERT_THAT(CommitAndWait(barrier->store(), std::move(commit)), IsOk());
}

void ApiScene::AddRegion(const std::string& code, bool blind) {
  region_keys.insert_or_assign(code, RegionKey::Generate());
  const RegionRow row{.sealing_key = region_keys.at(code).public_key(), .blind = blind, .create_time = clock.Now()};
  ASSERT_THAT(Commit([&](Transaction& transaction) {
                transaction.Put(keys::Region(code), Encode(row));
                return absl::OkStatus();
              }),
              IsOk());
  SetIncarnation(code, "incarnation-1");
}

SetWrite ApiScene::Write(const std::string& set, WriteConditions conditions) const {
  return {.organization = "acme", .name = set, .author = "apiKey:tester", .conditions = std::move(conditions)};
}

absl::StatusOr<SetWriteAnswer> ApiScene::Set(const std::string& set, const KeyValues& values,
                                             const std::string& region) {
  return Set(Write(set), values, SetMode::kMerge, region);
}

absl::StatusOr<SetWriteAnswer> ApiScene::Set(SetWrite write, const KeyValues& values, SetMode mode,
                                             const std::string& region) {
  return Await<absl::StatusOr<SetWriteAnswer>>(
      [&](SecretSets::Done done) { sets->Set(std::move(write), region, mode, ToValues(values), std::move(done)); });
}

absl::StatusOr<SetWriteAnswer> ApiScene::SetPull(SetWrite write, const std::string& host, const std::string& auth,
                                                 const std::string& region) {
  return Await<absl::StatusOr<SetWriteAnswer>>([&](SecretSets::Done done) {
    sets->SetImagePullSecret(std::move(write), region, host, SecretBytes::Copy(auth), std::move(done));
  });
}

absl::StatusOr<SetWriteAnswer> ApiScene::Unset(SetWrite write, const std::string& key) {
  return Await<absl::StatusOr<SetWriteAnswer>>(
      [&](SecretSets::Done done) { sets->Unset(std::move(write), key, std::move(done)); });
}

absl::StatusOr<SetWriteAnswer> ApiScene::Rollback(SetWrite write, int64_t generation) {
  return Await<absl::StatusOr<SetWriteAnswer>>(
      [&](SecretSets::Done done) { sets->Rollback(std::move(write), generation, std::move(done)); });
}

absl::Status ApiScene::Delete(SetWrite write, bool force) {
  return Await<absl::Status>(
      [&](std::function<void(absl::Status)> done) { sets->Delete(std::move(write), force, std::move(done)); });
}

absl::StatusOr<SecretSetView> ApiScene::Get(const std::string& set) { return GetSet(*deps, "acme", set); }

absl::StatusOr<DeploymentView> ApiScene::Deploy(const Deployment& wanted, IfExists if_exists,
                                                WriteConditions conditions) {
  Deployment of_acme = wanted;
  of_acme.organization = "acme";
  return Await<absl::StatusOr<DeploymentView>>(
      [&](Deployments::Done done) { deployments->Deploy({of_acme, if_exists, std::move(conditions)}, std::move(done)); });
}

absl::Status ApiScene::DeleteDeployment(const std::string& agent, WriteConditions conditions) {
  return Await<absl::Status>([&](std::function<void(absl::Status)> done) {
    deployments->Delete("acme", agent, std::move(conditions), std::move(done));
  });
}

absl::StatusOr<Revision> ApiScene::Commit(TransactionPlan plan) {
  return Await<absl::StatusOr<Revision>>([&](std::function<void(absl::StatusOr<Revision>)> done) {
    RunTransaction(deps->writer, std::move(plan), std::move(done));
  });
}

bool ApiScene::Ack(const std::string& region, const ObjectId& object, int64_t* generation) {
  return Observe(region, object, {.result = AckResult::kReady}, generation);
}

bool ApiScene::Nack(const std::string& region, const ObjectId& object, const std::string& message) {
  return Observe(
      region, object,
      {.result = AckResult::kFailed, .error_reason = "SINK_FULL", .error_message = message, .permanent = true},
      nullptr);
}

bool ApiScene::Ack(const std::string& set) {
  const auto view = Get(set);
  return view.ok() && Ack(view->set.region, SetObject(set));
}

void ApiScene::SetReady(const std::string& set, const KeyValues& values, const std::string& region) {
  ASSERT_THAT(Set(set, values, region), IsOk());
  ASSERT_TRUE(Ack(set));
}

void ApiScene::WipeRegion(const std::string& region) { SetIncarnation(region, "incarnation-2"); }

// Only the desired row that was read is acked: the commit holds it, as the region's session does.
bool ApiScene::Observe(const std::string& region, const ObjectId& object, const Observation& said,
                       int64_t* generation) {
  const auto desired_row = barrier->store().Get(keys::Desired(region, object));
  if (!desired_row.ok() || !*desired_row) return false;
  const Revision revision = (*desired_row)->revision;
  const DesiredState desired = *Decode<DesiredState>((*desired_row)->value);
  const absl::StatusOr<Revision> acked = Commit([&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const auto now, transaction.Read(keys::Desired(region, object)));
    if (!now || now->revision != revision) return absl::NotFoundError("superseded");
    ASSIGN_OR_RETURN(const auto before, transaction.Get<Observation>(keys::Observed(region, object)));
    Observation observed = said;
    observed.revision = revision;
    observed.target_incarnation = "incarnation-1";
    observed.uid = desired.uid;
    observed.generation = desired.generation;
    observed.observed_time = clock.Now();
    if (before && before->value.uid == desired.uid) observed.ready_generation = before->value.ready_generation;
    if (said.result == AckResult::kReady) observed.ready_generation = desired.generation;
    transaction.Put(keys::Observed(region, object), Encode(observed));
    return absl::OkStatus();
  });
  if (generation != nullptr) *generation = desired.generation;
  return acked.ok();
}

void ApiScene::SetIncarnation(const std::string& region, const std::string& incarnation) {
  ASSERT_THAT(Commit([&](Transaction& transaction) {
                transaction.Put(keys::RegionState(region), Encode(RegionStateRow{.target_incarnation = incarnation}));
                return absl::OkStatus();
              }),
              IsOk());
}

Opened ApiScene::Open(const std::string& set) {
  const auto view = Get(set);
  EXPECT_THAT(view, IsOk());
  Transaction reads(barrier->store());
  const auto row = reads.Get<Generation>(keys::Generation("acme", view->set.uid, view->set.generation));
  EXPECT_TRUE(row.ok() && *row);
  EXPECT_EQ(Sha256((*row)->value.sealed_object), view->set.digest);
  return OpenObject(view->set.region, (*row)->value.sealed_object, view->set.uid);
}

Opened ApiScene::OpenDeployment(const std::string& agent) {
  const auto view = deployments->Get("acme", agent);
  EXPECT_THAT(view, IsOk());
  EXPECT_EQ(Sha256(view->deployment.sealed_object), view->deployment.digest);
  return OpenObject(view->deployment.region, view->deployment.sealed_object, view->deployment.secret_set_uid);
}

Opened ApiScene::OpenObject(const std::string& region, const std::string& sealed_object, const std::string& set_uid) {
  const SealedObject object = *ParseSealedObject(sealed_object);
  Opened opened;
  const auto open = [&](const SealedEntry& entry, const std::string& uid, const std::string& name) {
    for (const SealedDataKey& key : object.data_keys) {
      if (key.id != entry.data_key_id) continue;
      const auto data_key = OpenedDataKey::Open(region_keys.at(region),
                                                {.organization_uid = object.organization_uid, .set_uid = uid}, key);
      ASSERT_THAT(data_key, IsOk());
      const auto value = data_key->Open(entry);
      ASSERT_THAT(value, IsOk());
      opened[name] = std::string(value->Access());
    }
    ASSERT_TRUE(opened.contains(name)) << "no data key for " << name;
  };
  for (const SealedEntry& entry : object.entries) open(entry, set_uid, entry.key);
  if (!object.pull_entry.data_key_id.empty())
    open(object.pull_entry, object.pull_secret_uid, "pull " + object.pull_secret_host);
  return opened;
}

std::vector<KeyedRow> ApiScene::RawRows() const { return AllRows(*memory); }
std::vector<KeyedRow> ApiScene::Rows() const { return AllRows(barrier->store()); }

}  // namespace keyferry

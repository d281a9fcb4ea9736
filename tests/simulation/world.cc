#include "tests/simulation/world.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/storage/keys.h"
#include "services/api/region_session.h"
#include "services/api/set_scene.h"
#include "services/api/set_status.h"
#include "services/provisioner/object_opener.h"
#include "tests/simulation/oracles.h"

namespace keyferry {
namespace {

RegionKey Copy(const RegionKey& key) { return RegionKey::FromPrivate(key.private_key().Clone()).value(); }

}  // namespace

std::string SetName(int set) { return absl::StrCat("set-", set); }
std::string AgentName(int set, int agent) { return absl::StrCat("agent-", set, "-", agent); }
std::string RegionOfSet(int set) { return set % 2 == 0 ? "us-west" : "us-east"; }
std::string RegionOf(const ObjectId& object) { return RegionOfSet(object.name[object.name.find('-') + 1] - '0'); }
ObjectId SetObject(const std::string& set) {
  return {.kind = ObjectKind::kSecretSet, .organization = kOrganization, .name = set};
}
ObjectId AgentObject(const std::string& agent) {
  return {.kind = ObjectKind::kDeployment, .organization = kOrganization, .name = agent};
}

std::vector<ObjectId> AllObjects() {
  std::vector<ObjectId> objects;
  for (int set = 0; set < kSetCount; ++set) {
    objects.push_back(SetObject(SetName(set)));
    for (int agent = 0; agent < kAgentsPerSet; ++agent) objects.push_back(AgentObject(AgentName(set, agent)));
  }
  return objects;
}

World::World(uint64_t seed, Bug bug, bool print)
    : scheduler_(seed, print), oracles_(std::make_unique<Oracles>(*this)) {
  for (const std::string& region : regions_) {
    private_keys_[region].push_back(RegionKey::Generate());
    keyrings_[region] = std::make_unique<RegionKeys>(KeysOf(region, 1));
  }
  api_ = std::make_unique<ApiNode>(
      ApiNode::Options{.scheduler = scheduler_,
                       .faults = faults_,
                       .bug = bug,
                       .on_commit = [this](const std::vector<RowKey>& written,
                                           Revision revision) { oracles_->OnApiCommit(written, revision); },
                       .on_end = [this] { EndApi(random().Share(), /*silently=*/false); },
                       .on_rewind = [this] { Fail("takes itself for an older store, and every restore here took its lineage"); }});
  network_ = std::make_unique<SimNetwork>(SimNetwork::Options{
      .scheduler = scheduler_,
      .faults = faults_,
      .bug = bug,
      .api = [this] { return api_->process(); },
      .accept =
          [this](const Caller& caller, std::shared_ptr<SyncTransport> transport) {
            return api_->now().directory->Open(caller, std::move(transport));
          },
      .on_said = [this](const Link& link, int stream,
                        const v1::ApiMessage& message) { oracles_->OnSaid(link, stream, message); }});
  api_->Start();
  CreateRegions();
  for (const auto& [region, id] : std::vector<std::pair<std::string, std::string>>{
           {"us-west", "p1"}, {"us-east", "p1"}, {"us-west", "p2"}, {"us-east", "p2"}}) {
    if (region == "us-east" && id == "p2" && random().Chance(0.5)) continue;
    provisioners_.push_back(std::make_unique<ProvisionerNode>(
        ProvisionerNode::Options{
            .scheduler = scheduler_,
            .faults = faults_,
            .network = *network_,
            .region = region,
            .id = id,
            .bug = bug,
            .on_change = [this](ProvisionerNode& node,
                                const std::vector<ObjectId>& objects) { oracles_->OnRegionChange(node, objects); },
            .on_end = [this](ProvisionerNode& node) { EndProvisioner(node, /*power=*/false); }},
        *keyrings_.at(region)));
    provisioners_.back()->Start();
  }
}

World::~World() = default;

RegionKeySet World::KeysOf(const std::string& region, size_t count) const {
  std::vector<RegionKey> keys;
  for (const RegionKey& key : private_keys_.at(region)) {
    if (keys.size() < count) keys.push_back(Copy(key));
  }
  return RegionKeySet(std::move(keys));
}

void World::CreateRegions() {
  for (const std::string& region : regions_) {
    const RegionRow row{.sealing_key = private_keys_.at(region).front().public_key(),
                        .create_time = api_->now().process.Now()};
    api_->Commit([region, row](Transaction& transaction) {
      transaction.Put(keys::Region(region), Encode(row));
      return absl::OkStatus();
    });
  }
}

void World::EndApi(double kept_share, bool silently) {
  if (!api_->alive()) return;
  trace().Note("api", "ends");
  api_->End(kept_share);
  network_->Died(api_->now().process, silently);
  StartApiLater();
}

void World::StartApiLater() {
  scheduler_.After(random().Between(absl::Milliseconds(200), absl::Seconds(8)), nullptr, [this] {
    if (api_->alive()) return;
    trace().Note("api", "starts");
    api_->Start();
  });
}

void World::EndProvisioner(ProvisionerNode& node, bool power) {
  if (!node.alive()) return;
  trace().Note(node.name(), power ? "loses its power" : "ends");
  node.End(power);
  network_->Died(node.now().process, /*silently=*/power);
  scheduler_.After(random().Between(absl::Milliseconds(100), absl::Seconds(15)), nullptr, [this, &node] {
    if (node.alive()) return;
    trace().Note(node.name(), "starts");
    node.Start();
  });
}

void World::Restore(const SimDisk& backup) {
  trace().Note("api", absl::StrCat("is restored to ", backup.head & 0xffffffffffff));
  if (api_->alive()) {
    api_->End(random().Share());
    network_->Died(api_->now().process, /*silently=*/false);
  }
  SimDisk disk = backup;
  disk.head = WithLineage(backup.head, LineageOf(api_->disk().head));
  disk.term = api_->disk().term;
  api_->disk() = std::move(disk);
  api_->Start(Lineage::kNext);
}

void World::ChangeSealingKey(const std::string& region) {
  std::vector<RegionKey>& keys = private_keys_.at(region);
  keys.insert(keys.begin(), RegionKey::Generate());
  keyrings_.at(region)->Replace(KeysOf(region, keys.size()));
  trace().Note(region, "has a new sealing key");
  api_->Commit([region, key = keys.front().public_key(),
                now = api_->now().process.Now()](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const auto row, transaction.Get<RegionRow>(keys::Region(region)));
    if (!row) return absl::NotFoundError("no such region");
    RegionRow next = row->value;
    next.previous_sealing_keys.insert(next.previous_sealing_keys.begin(), std::exchange(next.sealing_key, key));
    next.sealing_key_time = now;
    transaction.Put(keys::Region(region), Encode(next));
    return absl::OkStatus();
  });
}

Contents World::Open(const std::string& region, const ObjectId& id, const std::string& uid,
                     const std::string& sealed_object) const {
  const RegionObject object{
      .id = id, .uid = uid, .version = {.operation = Operation::kApply}, .sealed_object = sealed_object};
  const absl::StatusOr<OpenedObject> opened = OpenObject(KeysOf(region, private_keys_.at(region).size()), object);
  if (!opened.ok()) return {{"?", std::string(opened.status().message())}};
  Contents contents;
  for (const OpenedValue& value : opened->values) contents[value.key] = std::string(value.value.Access());
  return contents;
}

SetState World::StateOf(int set) {
  SetState state;
  const UseCaseDeps& deps = *api_->now().deps;
  Transaction reads(deps.writer.store);
  for (int agent = 0; agent < kAgentsPerSet; ++agent) {
    const std::string name = AgentName(set, agent);
    if (*reads.Read(keys::Deployment(kOrganization, name))) state.deployed.insert(name);
    if (*reads.Read(keys::SetUse(kOrganization, SetName(set), name))) state.bound.insert(name);
  }
  const absl::StatusOr<std::optional<SecretSet>> row = FindSet(reads, kOrganization, SetName(set));
  if (!row.ok() || !*row) return state;
  state.exists = true;
  state.generation = (*row)->generation;
  const std::vector<Generation> listed = ListGenerations(deps, kOrganization, SetName(set)).value();
  for (const Generation& each : listed) {
    const std::optional<Generation> generation = ReadGeneration(reads, **row, each.number).value();
    state.kept[each.number] = Open((*row)->region, SetObject(SetName(set)), (*row)->uid, generation.value().sealed_object);
  }
  state.contents = state.kept[state.generation];
  return state;
}

void World::Fail(const std::string& why) {
  if (!failure_.empty()) return;
  failure_ = why;
  trace().Note("VIOLATION", why);
}

}  // namespace keyferry

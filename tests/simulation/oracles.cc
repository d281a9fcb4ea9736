#include "tests/simulation/oracles.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "libs/storage/keys.h"
#include "services/api/provisioning_messages.h"
#include "services/api/set_status.h"

namespace keyferry {
namespace {

std::string TextOf(uint64_t revision) { return absl::StrCat(LineageOf(revision), ".", WithLineage(revision, 0)); }

}  // namespace

void Oracles::Fail(const std::string& rule, const Place& place, const std::string& what) {
  world_.Fail(absl::StrCat(rule, ": ", place.first, " ", place.second.name, ": ", what));
}

RegionStateRow Oracles::StateOf(const std::string& region) const {
  const auto row = Rows().Get(keys::RegionState(region));
  return row.ok() && *row ? Decode<RegionStateRow>((*row)->value).value() : RegionStateRow();
}

ProvisionerNode* Oracles::TargetOf(const std::string& region) {
  const std::string incarnation = StateOf(region).target_incarnation;
  for (const auto& node : world_.provisioners()) {
    if (node->region() == region && !node->disk().tail_lost && !incarnation.empty() &&
        node->Meta().target_incarnation == incarnation)
      return node.get();
  }
  return nullptr;
}

void Oracles::OnApiCommit(const std::vector<RowKey>& written, Revision revision) {
  if (revision <= head_) world_.Fail(absl::StrCat("I5: revision ", TextOf(revision), " after ", TextOf(head_)));
  head_ = revision;
  if (world_.api().now().reseal == nullptr) return;
  std::set<ObjectId> objects;
  for (const RowKey& key : written) {
    const auto row = world_.api().disk().rows.find(key);
    if (row != world_.api().disk().rows.end()) CheckSealed(row->second.value, "the API's disk");
    if (key.family == Family::kDeployments && row != world_.api().disk().rows.end()) CheckGate(keys::LastPart(key));
    if (const auto object = key.family == Family::kPlacements ? keys::ObjectOf(key) : std::nullopt)
      objects.insert(*object);
  }
  for (const ObjectId& object : objects) {
    NoteDesired({RegionOf(object), object});
    CheckPlacement({RegionOf(object), object});
  }
}

void Oracles::CheckSealed(const std::string& bytes, const std::string& where) {
  if (bytes.find(kSentinel) != std::string::npos) world_.Fail(absl::StrCat("plaintext on ", where));
}

void Oracles::NoteDesired(const Place& place) {
  const PlacementRows rows = RowsOf(place);
  if (!rows.desired) return;
  desired_[place][WithLineage(rows.desired->revision, 0)].insert(
      rows.desired->operation == Operation::kDelete ? "" : rows.desired->digest);
}

void Oracles::CheckPlacement(const Place& place) {
  const PlacementRows rows = RowsOf(place);
  ProvisionerNode* const target = TargetOf(place.first);
  if (target == nullptr) return;
  const std::optional<RegionObject> held = target->Held(place.second);
  const bool live = held && held->version.operation == Operation::kApply;
  if (!rows.desired) {
    const RegionStateRow state = StateOf(place.first);
    const bool synced = state.synced_incarnation == state.target_incarnation && state.synced_lineage == Lineage();
    if (live && synced)
      Fail("I3", place, absl::StrCat("erased, and the region holds ", TextOf(held->version.revision)));
    return;
  }
  if (ReadinessOf(*rows.desired, rows.observed, StateOf(place.first).target_incarnation) != Readiness::kReady) return;
  const std::string wanted = absl::StrCat("READY at ", TextOf(rows.desired->revision), ", and the region holds ");
  if (!live) return Fail("I1", place, wanted + "nothing");
  if (held->version.revision != rows.desired->revision || held->version.digest != rows.desired->digest) {
    Fail("I1", place, wanted + TextOf(held->version.revision));
  }
}

void Oracles::OnRestore() {
  gated_.clear();
  Transaction reads(Rows());
  for (int set = 0; set < kSetCount; ++set) {
    for (int agent = 0; agent < kAgentsPerSet; ++agent) {
      const auto row = reads.Get<Deployment>(keys::Deployment(kOrganization, AgentName(set, agent)));
      if (row.ok() && *row) gated_.emplace((*row)->value.uid, (*row)->value.generation);
    }
  }
}

// The commit is that of a deploy: rows are as it left them, and nothing came after it yet.
void Oracles::CheckGate(const std::string& agent) {
  Transaction reads(Rows());
  const auto row = reads.Get<Deployment>(keys::Deployment(kOrganization, agent));
  if (!row.ok() || !*row) return;
  const Deployment& deployment = (*row)->value;
  if (!gated_.emplace(deployment.uid, deployment.generation).second) return;
  const auto set = FindSet(reads, kOrganization, deployment.secret_set);
  if (!set.ok() || !*set || (*set)->uid != deployment.secret_set_uid ||
      (*set)->generation != deployment.secret_set_generation) {
    return Fail("gate", {deployment.region, AgentObject(agent)}, "bound to a generation that is not the newest");
  }
  const Place place(deployment.region, SetObject(deployment.secret_set));
  const PlacementRows rows = RowsOf(place);
  const bool ready =
      rows.desired && rows.desired->generation == deployment.secret_set_generation &&
      ReadinessOf(*rows.desired, rows.observed, StateOf(place.first).target_incarnation) == Readiness::kReady;
  if (!ready) return Fail("gate", place, absl::StrCat("deployed to ", agent, " while it is not READY"));
  CheckPlacement(place);
}

void Oracles::OnGateOpen(int set, int64_t generation) {
  const Place place(RegionOfSet(set), SetObject(SetName(set)));
  const PlacementRows rows = RowsOf(place);
  const bool ready =
      rows.desired && rows.desired->generation == generation &&
      ReadinessOf(*rows.desired, rows.observed, StateOf(place.first).target_incarnation) == Readiness::kReady;
  if (!ready) return Fail("gate", place, "said to be READY from memory, and is not");
  CheckPlacement(place);
}

void Oracles::OnRegionChange(ProvisionerNode& node, const std::vector<ObjectId>& changed) {
  for (const ObjectId& id : changed) {
    if (const std::optional<RegionObject> held = node.Held(id)) CheckHeld(node, *held);
  }
}

void Oracles::CheckHeld(ProvisionerNode& node, const RegionObject& object) {
  const Place place(node.region(), object.id);
  const uint64_t revision = object.version.revision;
  const bool live = object.version.operation == Operation::kApply;
  CheckSealed(object.sealed_object, "a region's disk");
  uint64_t& highest = highest_[{node.Meta().target_incarnation, object.id}];
  if (revision < highest) Fail("I2", place, absl::StrCat(TextOf(revision), " after ", TextOf(highest)));
  highest = std::max(highest, revision);
  const auto& ever = desired_[place];
  const auto found = ever.find(WithLineage(revision, 0));
  if (found != ever.end() && found->second.contains(live ? object.version.digest : "")) return;
  if (live) return Fail("integrity", place, absl::StrCat("the region holds ", TextOf(revision), ", which was never desired"));
  // Nobody wanted it deleted then, so a sweep did it.
  const PlacementRows rows = RowsOf(place);
  if (rows.desired && rows.desired->operation == Operation::kApply && rows.desired->revision <= revision) {
    Fail("I8", place, absl::StrCat("swept as of ", TextOf(revision), ", and desired at ", TextOf(rows.desired->revision)));
  }
}

void Oracles::OnSaid(const Link& link, int stream, const v1::ApiMessage& message) {
  for (const v1::Event& event : message.events().events()) {
    if (event.operation() == v1::OPERATION_RETAIN) continue;
    uint64_t& sent = sent_[{link.name, stream}][*FromWire(event.object())];
    sent = std::max<uint64_t>(sent, event.revision());
  }
  if (message.has_bookmark() && message.bookmark().head_revision() != 0) {
    CheckBookmark(link, stream, message.bookmark().head_revision());
  }
  if (!message.has_welcome()) return;
  const uint64_t head = message.welcome().head_revision();
  uint64_t& said = heads_said_[link.name];
  if (head < said) {
    world_.Fail(absl::StrCat("I5: ", link.name, " was told of ", TextOf(said), ", then of ", TextOf(head)));
  }
  said = std::max(said, head);
}

void Oracles::CheckBookmark(const Link& link, int stream, uint64_t head) {
  const RowKey begin = keys::PendingIn(link.caller.region);
  const auto rows = Rows().Scan(begin, PrefixEnd(begin.bytes), 1000);
  for (const KeyedRow& row : *rows) {
    const auto entry = keys::ParsePending(row.key);
    const uint64_t revision = entry ? WithLineage(entry->revision, Lineage()) : 0;
    if (!entry || revision > head) continue;
    if (sent_[{link.name, stream}][entry->object] < revision) {
      Fail("I7", {link.caller.region, entry->object},
           absl::StrCat("bookmark ", TextOf(head), " on stream ", stream, ", and ", TextOf(revision), " was not sent"));
    }
  }
}

}  // namespace keyferry

// Oracles: the indexes, and what must be so at the end.
#include "absl/strings/str_cat.h"
#include "libs/storage/keys.h"
#include "services/api/set_status.h"
#include "tests/simulation/oracles.h"

namespace keyferry {
namespace {

std::vector<KeyedRow> AllUnder(const Store& store, const RowKey& prefix) {
  return store.Scan(prefix, PrefixEnd(prefix.bytes), 100'000).value_or(std::vector<KeyedRow>());
}

}  // namespace

void Oracles::CheckIndexes() {
  for (const std::string& region : world_.regions()) {
    std::map<ObjectId, int> entries;
    for (const KeyedRow& row : AllUnder(Rows(), keys::PendingIn(region))) {
      if (const auto entry = keys::ParsePending(row.key)) ++entries[entry->object];
    }
    for (const KeyedRow& row : AllUnder(Rows(), keys::RetriesIn(region))) {
      if (const auto entry = keys::ParseRetry(row.key)) ++entries[entry->object];
    }
    const RegionStateRow state = StateOf(region);
    const bool synced = state.synced_incarnation == state.target_incarnation && state.synced_lineage == Lineage() &&
                        !state.resync_requested;
    for (const KeyedRow& row : AllUnder(Rows(), keys::DesiredIn(region))) {
      const Place place(region, *keys::ObjectOf(row.key));
      const PlacementRows rows = RowsOf(place);
      const Readiness readiness = ReadinessOf(*rows.desired, rows.observed, state.target_incarnation);
      const bool unsettled = readiness == Readiness::kPending ||
                             (rows.desired->operation == Operation::kDelete && readiness != Readiness::kFailed);
      const int count = entries.contains(place.second) ? entries[place.second] : 0;
      const bool final_failure =
          rows.observed && rows.observed->permanent && rows.observed->revision == rows.desired->revision;
      if (count > 1 || (count == 0 && unsettled && synced && !final_failure)) {
        Fail("I6", place, absl::StrCat("unsettled, and in ", count, " places of the indexes"));
      }
      entries.erase(place.second);
    }
    for (const auto& [object, count] : entries) Fail("I6", {region, object}, "in an index, and desired nowhere");
  }
}

std::optional<std::string> Oracles::WhyNotSettled() {
  if (!world_.api().alive()) return "the API is down";
  ApiProcess& api = world_.api().now();
  if (!api.rotation->Running().empty() || !api.reseal->Running().empty()) return "keys are rotated";
  for (const std::string& region : world_.regions()) {
    const RegionStateRow state = StateOf(region);
    ProvisionerNode* const target = TargetOf(region);
    if (target == nullptr || !target->alive()) return absl::StrCat(region, " has no owner");
    if (state.synced_incarnation != state.target_incarnation || state.synced_lineage != Lineage() ||
        state.resync_requested)
      return absl::StrCat(region, " is not synced");
    if (!AllUnder(Rows(), keys::PendingIn(region)).empty()) return absl::StrCat(region, " has pending entries");
    if (!AllUnder(Rows(), keys::RetriesIn(region)).empty()) return absl::StrCat(region, " has retries");
    for (const KeyedRow& row : AllUnder(Rows(), keys::DesiredIn(region))) {
      const Place place(region, *keys::ObjectOf(row.key));
      const PlacementRows rows = RowsOf(place);
      if (rows.desired->operation == Operation::kDelete)
        return absl::StrCat(region, " ", place.second.name, " is being deleted");
      if (ReadinessOf(*rows.desired, rows.observed, state.target_incarnation) != Readiness::kReady)
        return absl::StrCat(region, " ", place.second.name, " is not READY");
    }
    for (const RegionObject& object : target->Objects()) {
      const Place place(region, object.id);
      if (object.version.operation == Operation::kApply && !RowsOf(place).desired)
        return absl::StrCat(region, " holds ", object.id.name, ", which is placed nowhere");
    }
  }
  return std::nullopt;
}

void Oracles::CheckEnd() {
  CheckIndexes();
  for (const ObjectId& object : AllObjects()) {
    CheckPlacement({RegionOf(object), object});
  }
  for (int set = 0; set < kSetCount; ++set) {
    const SetState state = world_.StateOf(set);
    const Place place(RegionOfSet(set), SetObject(SetName(set)));
    ProvisionerNode* const target = TargetOf(place.first);
    const auto shown = target->sink().objects().find(place.second);
    const bool is_shown = shown != target->sink().objects().end();
    if (is_shown != state.exists) Fail("end", place, state.exists ? "is not shown" : "is shown, and deleted");
    if (is_shown && state.exists && shown->second != state.contents) Fail("end", place, "is shown with other values");
  }
  CheckQuotas();
  const RowKey heads = keys::AuditHeads();
  for (const KeyedRow& row : AllUnder(Rows(), heads)) {
    const std::string organization = keys::LastPart(row.key);
    std::string hash;
    int64_t number = 0;
    for (const KeyedRow& record : AllUnder(Rows(), keys::AuditRecordsOf(organization))) {
      const AuditRow read = Decode<AuditRow>(record.row.value).value();
      if (number > 0 && read.previous_hash != hash)
        world_.Fail(absl::StrCat("audit: the chain of '", organization, "' breaks at ", number + 1));
      hash = read.hash;
      ++number;
    }
    const AuditHeadRow head = Decode<AuditHeadRow>(row.row.value).value();
    if (head.number != number || head.hash != hash)
      world_.Fail(absl::StrCat("audit: the chain of '", organization, "' has ", number, " records, its head says ",
                               head.number));
  }
}

// What is counted in memory is what there is.
void Oracles::CheckQuotas() {
  Quotas& quotas = *world_.api().now().quotas;
  int64_t sets = 0;
  int64_t deployments = 0;
  for (int set = 0; set < kSetCount; ++set) {
    const SetState state = world_.StateOf(set);
    sets += state.exists;
    deployments += static_cast<int64_t>(state.deployed.size());
  }
  const auto counted_sets = quotas.CountOf(kOrganization, QuotaKind::kSecretSets);
  const auto counted_deployments = quotas.CountOf(kOrganization, QuotaKind::kDeployments);
  if (counted_sets.value_or(-1) != sets || counted_deployments.value_or(-1) != deployments) {
    world_.Fail(absl::StrCat("quota: ", sets, " sets and ", deployments, " deployments, counted are ",
                             counted_sets.value_or(-1), " and ", counted_deployments.value_or(-1)));
  }
}

std::map<std::string, int> Oracles::AuditRecords() {
  std::map<std::string, int> counts;
  for (const RowKey& prefix : {keys::AuditPendings(), keys::AuditRecordsOf(kOrganization)}) {
    for (const KeyedRow& row : AllUnder(Rows(), prefix)) {
      const auto record = Decode<AuditRow>(row.row.value);
      if (record.ok() && record->decision == AuditDecision::kDone) ++counts[record->request_id];
    }
  }
  return counts;
}

}  // namespace keyferry

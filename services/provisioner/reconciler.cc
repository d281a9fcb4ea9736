#include "services/provisioner/reconciler.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/limits.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "services/provisioner/object_opener.h"

namespace keyferry {
namespace {

constexpr size_t kSweepBatch = 256;

absl::string_view Abseil(std::string_view s) { return {s.data(), s.size()}; }

std::optional<ObjectVersion> VersionOf(const std::optional<RegionObject>& object) {
  return object ? std::optional(object->version) : std::nullopt;
}

bool IsLive(const RegionObject& object) { return object.version.operation == Operation::kApply; }

Settlement Ready(const RegionObject& held) {
  return {.id = held.id, .uid = held.uid, .revision = held.version.revision, .digest = held.version.digest};
}

Settlement Failed(const RegionObject& event, std::string_view reason, std::string message) {
  const bool permanent = reason == kReasonBadPayload || reason == kReasonCannotOpen;
  return {.id = event.id,
          .uid = event.uid,
          .revision = event.version.revision,
          .digest = event.version.digest,
          .result = AckResult::kFailed,
          .error_reason = std::string(reason),
          .error_message = std::move(message),
          .permanent = permanent};
}

Settlement Failed(const RegionObject& event, const absl::Status& status) {
  return Failed(event, ReasonOf(status), std::string(status.message()));
}

absl::Status StoreError(const absl::Status& status) {
  Log(Severity::kError, "region_store_failed", {{"error", status}});
  return MakeError(absl::StatusCode::kUnavailable, "the region's store failed; its log says why",
                   {.reason = "STORE_ERROR"});
}

absl::Status SinkError(const Sink& sink, const absl::Status& status) {
  const std::string_view reason = absl::IsResourceExhausted(status) ? "SINK_FULL" : "SINK_ERROR";
  return MakeError(status.code(), absl::StrCat("sink ", Abseil(sink.name()), ": ", status.message()),
                   {.reason = std::string(reason)});
}

absl::Status CheckDigest(const RegionObject& event) {
  if (Sha256(event.sealed_object) == event.version.digest) return absl::OkStatus();
  return MakeError(absl::StatusCode::kDataLoss, "the payload does not have the digest of its event",
                   {.reason = "DIGEST_MISMATCH"});
}

}  // namespace

// Events that are shown in the sinks and wait for one commit; `places` are theirs among the settlements.
struct Reconciler::Group {
  std::vector<RegionObject> changes;
  std::vector<size_t> places;

  bool Has(const ObjectId& id) const {
    return std::any_of(changes.begin(), changes.end(), [&](const RegionObject& change) { return change.id == id; });
  }
};

std::vector<Settlement> Reconciler::Apply(std::vector<RegionObject> events) {
  std::vector<Settlement> settlements(events.size());
  Group group;
  for (size_t i = 0; i < events.size(); ++i) {
    if (group.Has(events[i].id)) CommitGroup(group, settlements);
    if (std::optional<Settlement> settled = Prepare(events[i], group)) {
      settlements[i] = *std::move(settled);
    } else {
      group.places.push_back(i);
    }
  }
  CommitGroup(group, settlements);
  return settlements;
}

// The settlement, or nullopt when the event moved into the group.
std::optional<Settlement> Reconciler::Prepare(RegionObject& event, Group& group) {
  const auto held = options_.store.Get(event.id);
  if (!held.ok()) return Failed(event, StoreError(held.status()));
  absl::Status shown;
  switch (Judge(event.version, VersionOf(*held), options_.store.meta().settled_floor)) {
    case Verdict::kStale:
      return Ready(**held);
    case Verdict::kDuplicate:
      shown = IsLive(event) ? EnsureShown(**held, Severity::kWarning) : Hide(event.id);
      return shown.ok() ? Ready(**held) : Failed(event, shown);
    case Verdict::kBelowFloor:
      return Failed(event, "BELOW_FLOOR", "the region forgot this object: only a new revision can be applied");
    case Verdict::kApply:
      shown = CheckDigest(event);
      if (shown.ok()) shown = Show(event);
      break;
    case Verdict::kDelete:
      shown = Hide(event.id);
      break;
    default:
      return Failed(event, "DIGEST_MISMATCH", "the region holds other content with this revision");
  }
  if (!shown.ok()) {
    ShowAsStored(event.id);
    return Failed(event, shown);
  }
  group.changes.push_back(std::move(event));
  return std::nullopt;
}

void Reconciler::CommitGroup(Group& group, std::vector<Settlement>& settlements) {
  if (group.changes.empty()) return;
  FAILPOINT("region.group.before_commit");
  const auto verdicts = options_.store.Commit(group.changes);
  FAILPOINT("region.group.committed");
  for (size_t i = 0; i < group.changes.size(); ++i) {
    const RegionObject& change = group.changes[i];
    const auto held = options_.store.Get(change.id);
    const bool holds = verdicts.ok() && held.ok() && *held && (*held)->version.revision == change.version.revision &&
                       (!IsLive(change) || Sha256((*held)->sealed_object) == change.version.digest);
    if (holds) {
      settlements[group.places[i]] = Ready(change);
      if (options_.on_change) options_.on_change(change.id);
    } else {
      ShowAsStored(change.id);
      settlements[group.places[i]] = Failed(change, StoreError(verdicts.ok() ? held.status() : verdicts.status()));
    }
  }
  group = Group();
}

absl::Status Reconciler::Show(const RegionObject& object) {
  ASSIGN_OR_RETURN(const OpenedObject opened, OpenObject(*options_.keys.Get(), object));
  for (Sink* sink : options_.sinks) {
    absl::Status status = sink->Apply(opened);
    if (status.ok()) status = sink->Verify(opened);
    if (!status.ok()) return SinkError(*sink, status);
  }
  return absl::OkStatus();
}

absl::Status Reconciler::EnsureShown(const RegionObject& object, Severity repair_severity) {
  ASSIGN_OR_RETURN(const OpenedObject opened, OpenObject(*options_.keys.Get(), object));
  for (Sink* sink : options_.sinks) {
    absl::Status status = sink->Verify(opened);
    if (status.ok()) continue;
    Log(repair_severity, "sink_repaired",
        {{"sink", sink->name()},
         {"organization", object.id.organization},
         {"object", object.id.name},
         {"found", status}});
    status = sink->Apply(opened);
    if (status.ok()) status = sink->Verify(opened);
    if (!status.ok()) return SinkError(*sink, status);
  }
  return absl::OkStatus();
}

absl::Status Reconciler::Hide(const ObjectId& id) {
  for (Sink* sink : options_.sinks) {
    if (const absl::Status status = sink->Remove(id); !status.ok()) return SinkError(*sink, status);
  }
  return absl::OkStatus();
}

// After a failure: what the store holds is what users shall see.
void Reconciler::ShowAsStored(const ObjectId& id) {
  const auto held = options_.store.Get(id);
  if (!held.ok()) return;
  const absl::Status status = *held && IsLive(**held) ? EnsureShown(**held, Severity::kInfo) : Hide(id);
  if (!status.ok()) Log(Severity::kError, "sink_not_restored", {{"object", id.name}, {"error", status}});
}

bool Reconciler::Holds(const ObjectId& id, const ObjectVersion& version) const {
  const auto held = options_.store.Get(id);
  if (!held.ok()) return false;
  return Judge({.revision = version.revision, .operation = Operation::kRetain, .digest = version.digest},
               VersionOf(*held), 0) == Verdict::kRetained;
}

absl::StatusOr<size_t> Reconciler::Sweep(const std::function<bool(const ObjectId&)>& seen, uint64_t as_of_revision,
                                         bool allow_mass_delete) {
  std::vector<RegionObject> unseen;
  RETURN_IF_ERROR(options_.store.ForEach(std::nullopt, [&](const RegionObject& object) {
    if (IsLive(object) && object.version.revision <= as_of_revision && !seen(object.id)) {
      unseen.push_back({.id = object.id, .uid = object.uid});
    }
    return true;
  }));
  const size_t object_count = options_.store.object_count();
  if (!allow_mass_delete &&
      static_cast<double>(unseen.size()) > kMaxSweepFraction * static_cast<double>(object_count)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the resync would delete ", unseen.size(), " of ", object_count,
                     " objects, more than a tenth; nothing was deleted. If that is meant, an operator runs "
                     "`keyferry regions resync CODE --allow-mass-delete`"));
  }
  RETURN_IF_ERROR(SweepAll(unseen, as_of_revision));
  return unseen.size();
}

absl::Status Reconciler::SweepAll(const std::vector<RegionObject>& unseen, uint64_t as_of_revision) {
  for (size_t start = 0; start < unseen.size(); start += kSweepBatch) {
    std::vector<RegionObject> batch(unseen.begin() + start,
                                    unseen.begin() + std::min(start + kSweepBatch, unseen.size()));
    for (RegionObject& object : batch) {
      object.version = {.revision = as_of_revision, .operation = Operation::kDelete};
      RETURN_IF_ERROR(Hide(object.id));
    }
    FAILPOINT_OR_RETURN("region.sweep.hidden");
    RETURN_IF_ERROR(options_.store.Commit(batch).status());
    FAILPOINT_OR_RETURN("region.sweep.committed");
    for (const RegionObject& object : batch) {
      if (options_.on_change) options_.on_change(object.id);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ObjectId>> Reconciler::FillSinks() {
  std::vector<ObjectId> not_shown;
  if (options_.sinks.empty()) return not_shown;
  RETURN_IF_ERROR(options_.store.ForEach(std::nullopt, [&](const RegionObject& object) {
    if (IsLive(object) && !EnsureShown(object, Severity::kDebug).ok()) not_shown.push_back(object.id);
    return true;
  }));
  for (Sink* sink : options_.sinks) RETURN_IF_ERROR(RemoveUnknown(*sink));
  return not_shown;
}

absl::Status Reconciler::RemoveUnknown(Sink& sink) {
  ASSIGN_OR_RETURN(const std::vector<ObjectId> shown, sink.List());
  for (const ObjectId& id : shown) {
    ASSIGN_OR_RETURN(const auto held, options_.store.Get(id));
    if (held && IsLive(*held)) continue;
    RETURN_IF_ERROR(sink.Remove(id));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ObjectId>> Reconciler::CheckSinks(size_t count) {
  std::vector<ObjectId> not_repaired;
  size_t visited = 0;
  std::optional<ObjectId> last;
  RETURN_IF_ERROR(options_.store.ForEach(checked_, [&](const RegionObject& object) {
    if (IsLive(object) && !EnsureShown(object, Severity::kWarning).ok()) not_repaired.push_back(object.id);
    last = object.id;
    return ++visited < count;
  }));
  checked_ = visited < count ? std::nullopt : last;
  return not_repaired;
}

}  // namespace keyferry

#include "libs/storage/resealer.h"

#include <algorithm>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/status_macros.h"
#include "libs/storage/codec.h"
#include "libs/storage/commit_rules.h"
#include "libs/storage/keys.h"
#include "libs/storage/sealed_store.h"

namespace keyferry {
namespace {

// Rows in memory, and commits under way, at one time.
constexpr size_t kMaxRowsAtOnce = 64;
// A row whose writers keep coming in between is a row that they seal anew.
constexpr int kMaxAttempts = 16;

struct Range {
  RowKey begin;
  std::string end;
};

Range Under(RowKey prefix) {
  std::string end = PrefixEnd(prefix.bytes);
  return {std::move(prefix), std::move(end)};
}

RowKey AllGenerations(std::string_view organization) {
  RowKey prefix = keys::Generations(organization, "");
  prefix.bytes.pop_back();
  return prefix;
}

std::string SetUidOf(const RowKey& generation, std::string_view organization) {
  const std::string rest = generation.bytes.substr(AllGenerations(organization).bytes.size());
  return rest.substr(0, rest.find('\0'));
}

// Where rows of the owner are (keys::BarrierOwner), in key order. Placements are the system's; older ones, which their organization's key sealed, become
// so when that is rotated.
std::vector<Range> RangesOf(std::string_view owner) {
  if (owner.empty()) return {{{Family::kMeta, ""}, ""}, {{Family::kPlacements, ""}, ""}, {{Family::kPending, ""}, ""}, {{Family::kAudit, ""}, ""}};
  return {Under(keys::SecretSets(owner)), Under(AllGenerations(owner)), Under(keys::Deployments(owner)),
          {{Family::kPlacements, ""}, ""}, Under(keys::Request(owner, ""))};
}

absl::Status KeysChanged() {
  return MakeError(absl::StatusCode::kAborted, "the owner's keys were changed meanwhile; do this step again", {.reason = "CONCURRENT_MODIFICATION"});
}

// One step's owner: its keys at one revision, which every commit pins.
class OwnerStep {
 public:
  OwnerStep(Store& beneath, const Store& sealed, BarrierKeys& all_keys, std::string_view name, std::shared_ptr<BarrierKeys::Owner> owner, Term term)
      : beneath_(beneath), sealed_(sealed), all_keys_(all_keys), name_(name), owner_(std::move(owner)), term_(term) {}

  // The rows of one scan, whoever they belong to.
  absl::Status Visit(std::vector<KeyedRow> rows, ResealStep& step) {
    std::erase_if(rows, [&](const KeyedRow& row) { return row.row.value.empty() || !IsHere(row.key); });
    step.visited_count += static_cast<int64_t>(rows.size());
    for (int attempt = 1; !rows.empty(); ++attempt) {
      if (attempt > kMaxAttempts || all_keys_.Refresh(name_, owner_->keys.revision)) return KeysChanged();
      ASSIGN_OR_RETURN(std::vector<RowKey> overtaken, Move(rows, step));
      rows.clear();
      for (RowKey& key : overtaken) {
        ASSIGN_OR_RETURN(std::optional<Row> row, beneath_.Get(key));
        if (row && !row->value.empty()) rows.push_back({std::move(key), *std::move(row)});
      }
    }
    return absl::OkStatus();
  }

 private:
  bool IsHere(const RowKey& key) const {
    if (key.family != Family::kPlacements || name_.empty()) return keys::BarrierOwner(key) == name_;
    const std::optional<ObjectId> object = keys::ObjectOf(key);
    return object && object->organization == name_;
  }

  // Commits all that must move; those of which a writer or a change of the keys was first.
  absl::StatusOr<std::vector<RowKey>> Move(const std::vector<KeyedRow>& rows, ResealStep& step) {
    std::vector<std::pair<RowKey, std::future<absl::StatusOr<Revision>>>> under_way;
    absl::Status failed;
    for (const KeyedRow& row : rows) {
      auto moved = Moved(row);
      failed = moved.status();
      if (!failed.ok()) break;
      if (*moved) under_way.emplace_back(row.key, Begin(*std::move(*moved)));
    }
    // Also those that were overtaken: that a pass moved nothing must mean that all was as it should be when it was seen.
    step.moved_count += static_cast<int64_t>(under_way.size());
    std::vector<RowKey> overtaken;
    for (auto& [key, answer] : under_way) {
      const absl::StatusOr<Revision> committed = answer.get();
      if (committed.ok()) continue;
      if (ReasonOf(committed.status()) == "CONCURRENT_MODIFICATION") {
        overtaken.push_back(std::move(key));
      } else {
        failed.Update(committed.status());
      }
    }
    RETURN_IF_ERROR(failed);
    return overtaken;
  }

  // nullopt: the row is as it should be.
  absl::StatusOr<std::optional<Commit>> Moved(const KeyedRow& row) {
    auto opened = owner_->sealer.Open(row.row.value, RowContext(row.key));
    if (row.key.family == Family::kPlacements && !name_.empty()) return MovedToSystem(row, opened);
    // An older placement: its organization's rotation moves it.
    if (!opened.ok() && row.key.family == Family::kPlacements && sealed_.Get(row.key).ok()) return std::nullopt;
    if (!opened.ok()) return Refused(row);
    ASSIGN_OR_RETURN(const std::optional<std::string> wrapped_anew, WrapAnew(row.key, *opened));
    if (!wrapped_anew && owner_->sealer.IsUnderNewest(row.row.value)) return std::nullopt;
    Commit commit{.term = term_,
                  .preconditions = {{.key = row.key, .revision = row.row.revision},
                                    {.key = keys::WrappedKey(name_), .revision = owner_->keys.revision}}};
    commit.mutations.push_back({.key = row.key,
                                .value = owner_->sealer.Seal(wrapped_anew ? *wrapped_anew : *opened, RowContext(row.key)),
                                .keep_revision = !wrapped_anew});
    return commit;
  }

  absl::StatusOr<std::optional<Commit>> MovedToSystem(const KeyedRow& row, const absl::StatusOr<std::string>& opened) {
    if (!opened.ok()) return std::nullopt;
    ASSIGN_OR_RETURN(const std::shared_ptr<BarrierKeys::Owner> system, all_keys_.OwnerOf(""));
    Commit commit{.term = term_,
                  .preconditions = {{.key = row.key, .revision = row.row.revision},
                                    {.key = keys::WrappedKey(""), .revision = system->keys.revision}}};
    commit.mutations.push_back({.key = row.key, .value = system->sealer.Seal(*opened, RowContext(row.key)), .keep_revision = true});
    return commit;
  }

  absl::Status Refused(const KeyedRow& row) {
    ASSIGN_OR_RETURN(const std::optional<Row> now, beneath_.Get(row.key));
    // A writer may have come first, under keys that were added since.
    if (!now || now->value != row.row.value || all_keys_.Refresh(name_, owner_->keys.revision)) return KeysChanged();
    return absl::DataLossError(
        absl::StrCat("row ", Printable(row.key), " does not open under any of its owner's keys, so it cannot be sealed again; restore a backup"));
  }

  std::future<absl::StatusOr<Revision>> Begin(Commit commit) {
    auto answered = std::make_shared<std::promise<absl::StatusOr<Revision>>>();
    auto answer = answered->get_future();
    FAILPOINT("reseal.before_commit");
    beneath_.CommitAsync(std::move(commit), [answered](absl::StatusOr<Revision> result) { answered->set_value(std::move(result)); });
    return answer;
  }

  // The value with its escrowed keys under the newest key; nullopt when they are, or there are none.
  absl::StatusOr<std::optional<std::string>> WrapAnew(const RowKey& key, const std::string& value) {
    if (key.family == Family::kGenerations) {
      ASSIGN_OR_RETURN(Generation generation, Decode<Generation>(value));
      ASSIGN_OR_RETURN(const bool changed, WrapAnew(generation.escrowed_keys, {SetUidOf(key, name_)}));
      return changed ? std::optional<std::string>(Encode(generation)) : std::nullopt;
    }
    if (key.family == Family::kDeployments) {
      ASSIGN_OR_RETURN(Deployment deployment, Decode<Deployment>(value));
      ASSIGN_OR_RETURN(const bool changed, WrapAnew(deployment.escrowed_keys, {deployment.secret_set_uid, deployment.image_pull_secret_uid}));
      return changed ? std::optional<std::string>(Encode(deployment)) : std::nullopt;
    }
    return std::nullopt;
  }

  // Each belongs to one of these sets.
  absl::StatusOr<bool> WrapAnew(std::vector<EscrowedKey>& escrowed_keys, const std::vector<std::string>& set_uids) {
    bool changed = false;
    for (EscrowedKey& escrowed : escrowed_keys) {
      ASSIGN_OR_RETURN(const bool wrapped, WrapAnew(escrowed, set_uids));
      changed = changed || wrapped;
    }
    return changed;
  }

  absl::StatusOr<bool> WrapAnew(EscrowedKey& escrowed, const std::vector<std::string>& set_uids) {
    ASSIGN_OR_RETURN(const std::string organization_uid, OrganizationUid());
    const SecretBytes& newest = owner_->keys.escrow();
    for (const std::string& set_uid : set_uids) {
      const SealContext context{.organization_uid = organization_uid, .set_uid = set_uid};
      if (UnwrapDataKey(newest, context, escrowed.data_key_id, escrowed.wrapped_key).ok()) return false;
      const auto data_key = owner_->keys.UnwrapDataKey(context, escrowed.data_key_id, escrowed.wrapped_key);
      if (!data_key.ok()) continue;
      escrowed.wrapped_key = WrapDataKey(newest, context, escrowed.data_key_id, *data_key);
      return true;
    }
    return absl::DataLossError("an escrowed data key does not open under any of its organization's keys; restore a backup");
  }

  absl::StatusOr<std::string> OrganizationUid() {
    if (!organization_uid_) {
      ASSIGN_OR_RETURN(const std::optional<Row> row, sealed_.Get(keys::Organization(name_)));
      if (!row) return KeysChanged();
      ASSIGN_OR_RETURN(const OrganizationRow organization, Decode<OrganizationRow>(row->value));
      organization_uid_ = organization.uid;
    }
    return *organization_uid_;
  }

  Store& beneath_;
  const Store& sealed_;
  BarrierKeys& all_keys_;
  const std::string name_;
  const std::shared_ptr<BarrierKeys::Owner> owner_;
  const Term term_;
  std::optional<std::string> organization_uid_;
};

}  // namespace

absl::StatusOr<ResealStep> Resealer::Step(std::string_view owner, const ResealCursor& from, size_t limit, Term term) const {
  ASSIGN_OR_RETURN(std::shared_ptr<BarrierKeys::Owner> keys, keys_.OwnerOf(owner));
  OwnerStep rows_of(beneath_, sealed_, keys_, owner, std::move(keys), term);
  ResealStep step;
  size_t looked_at = 0;
  for (const Range& range : RangesOf(owner)) {
    const int family = static_cast<int>(range.begin.family);
    if (family < from.family) continue;
    RowKey at = range.begin;
    if (family == from.family) at.bytes = std::max(at.bytes, from.key);
    while (true) {
      if (looked_at >= limit) {
        step.next = ResealCursor{.family = family, .key = at.bytes};
        return step;
      }
      const size_t count = std::min(limit - looked_at, kMaxRowsAtOnce);
      // From reading the rows to the last answer.
      const KeptRowsGate::Closed closed(gate_);
      ASSIGN_OR_RETURN(std::vector<KeyedRow> rows, beneath_.Scan(at, range.end, count));
      looked_at += rows.size();
      const bool is_last = rows.size() < count;
      if (!rows.empty()) at.bytes = rows.back().key.bytes + '\0';
      RETURN_IF_ERROR(rows_of.Visit(std::move(rows), step));
      if (is_last) break;
    }
  }
  return step;
}

}  // namespace keyferry

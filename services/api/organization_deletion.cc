#include "services/api/organization_deletion.h"

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/storage/keys.h"
#include "services/api/organization_rows.h"
#include "services/api/paging.h"
#include "services/api/placement_rows.h"
#include "services/api/quotas.h"

namespace keyferry {
namespace {

absl::Status ConfirmationMismatch(const std::string& organization) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("nothing was deleted: to delete organization \"", organization, "\" for good, confirm with exactly that name"),
                   {.reason = "CONFIRMATION_MISMATCH", .metadata = {{"resource", organization}}});
}

absl::StatusOr<std::vector<std::string>> NamesBelow(const Store& store, const RowKey& prefix) {
  std::vector<std::string> names;
  RETURN_IF_ERROR(VisitRows(store, prefix, "", [&](const KeyedRow& row) -> absl::StatusOr<bool> {
    names.push_back(keys::LastPart(row.key));
    return true;
  }));
  return names;
}

// What is left of one organization after its mark, taken away step by step. Confined to one thread at a time.
class Removal {
 public:
  Removal(const OrganizationDeletionParts& parts, std::string organization) : parts_(parts), organization_(std::move(organization)) {}

  const std::string& organization() const { return organization_; }

  // Whether there is more to do. After an error the same step comes again.
  absl::StatusOr<bool> Step() {
    if (!placements_) {
      ASSIGN_OR_RETURN(placements_, PlacementRanges());
    }
    if (!placements_->empty()) return DesireDeletes();
    ASSIGN_OR_RETURN(const bool erased, EraseSome());
    if (erased) return true;
    return RetireOrganization();
  }

 private:
  absl::StatusOr<std::deque<std::pair<std::string, KeyRange>>> PlacementRanges() const {
    std::deque<std::pair<std::string, KeyRange>> ranges;
    ASSIGN_OR_RETURN(const std::vector<std::string> regions, NamesBelow(parts_.deps.writer.store, keys::Regions()));
    for (const std::string& region : regions) {
      for (const ObjectKind kind : {ObjectKind::kDeployment, ObjectKind::kSecretSet}) {
        const ObjectId all{.kind = kind, .organization = organization_, .name = ""};
        ranges.emplace_back(region, RangeBelow(keys::Desired(region, all)));
      }
    }
    return ranges;
  }

  // Deletes that were desired before are desired anew: in an older store these rows are under a key that is to go.
  absl::StatusOr<bool> DesireDeletes() {
    auto& [region, range] = placements_->front();
    ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, parts_.beneath.Scan(range.begin, range.end, kDeletedRowsPerStep));
    Transaction transaction(parts_.deps.writer.store);
    for (const KeyedRow& row : rows) {
      const std::optional<ObjectId> object = keys::ObjectOf(row.key);
      if (!object) continue;
      const absl::StatusOr<PlacementRows> placement = ReadPlacementRows(transaction, region, *object, 0);
      if (absl::IsDataLoss(placement.status())) {
        Log(Severity::kError, "deleted_placement_damaged", {{"region", region}, {"organization", organization_}, {"object", object->name}});
        continue;
      }
      RETURN_IF_ERROR(placement.status());
      if (placement->desired) DesireDelete(transaction, region, *object, *placement);
    }
    RETURN_IF_ERROR(Commit(std::move(transaction)));
    FAILPOINT_OR_RETURN("deletion.deletes_desired");
    if (rows.size() < kDeletedRowsPerStep) {
      placements_->pop_front();
    } else {
      range.begin.bytes = rows.back().key.bytes + '\0';
    }
    return true;
  }

  void DesireDelete(Transaction& transaction, const std::string& region, const ObjectId& object, const PlacementRows& rows) const {
    ReplaceDesired(transaction, region, object, rows,
                   {.uid = rows.desired->uid,
                    .operation = Operation::kDelete,
                    .generation = rows.desired->generation,
                    .desired_time = parts_.deps.clock.Now()});
    transaction.Erase(keys::Observed(region, object));
  }

  // False: nothing is left.
  absl::StatusOr<bool> EraseSome() {
    std::vector<KeyRange> ranges = OwnedRanges(organization_);
    ranges.push_back(RangeBelow(keys::ApiKeysOfOrganization(organization_)));
    for (const KeyRange& range : ranges) {
      ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, parts_.beneath.Scan(range.begin, range.end, kDeletedRowsPerStep));
      if (rows.empty()) continue;
      Transaction transaction(parts_.deps.writer.store);
      for (const KeyedRow& row : rows) {
        transaction.Erase(row.key);
        if (row.key.family == Family::kMeta) transaction.Erase(keys::ApiKey(keys::LastPart(row.key)));
      }
      RETURN_IF_ERROR(Commit(std::move(transaction)));
      FAILPOINT_OR_RETURN("deletion.rows_erased");
      return true;
    }
    return false;
  }

  absl::StatusOr<bool> RetireOrganization() {
    Transaction transaction(parts_.deps.writer.store);
    ASSIGN_OR_RETURN(const auto row, transaction.Get<OrganizationRow>(keys::Organization(organization_)));
    if (!row || row->value.delete_time == absl::InfiniteFuture() || IsRetired(row->value)) return false;
    FAILPOINT_OR_RETURN("deletion.before_retire");
    transaction.Erase(keys::WrappedKey(organization_));
    transaction.Erase(keys::OrganizationRotation(organization_));
    transaction.Put(keys::Organization(organization_), Encode(RetiredName(row->value.delete_time)));
    RETURN_IF_ERROR(Commit(std::move(transaction)));
    return false;
  }

  absl::Status Commit(Transaction transaction) const {
    if (!transaction.has_writes()) return absl::OkStatus();
    const Writer& writer = parts_.deps.writer;
    return CommitAndWait(writer.store, std::move(transaction).TakeCommit(writer.term())).status();
  }

  const OrganizationDeletionParts& parts_;
  const std::string organization_;
  // By region; those that are still to be gone through.
  std::optional<std::deque<std::pair<std::string, KeyRange>>> placements_;
};

// Everything but the entry points runs on the strand.
class Deletions final : public std::enable_shared_from_this<Deletions> {
 public:
  explicit Deletions(const OrganizationDeletionParts& parts) : parts_(parts), strand_(Strand::Create(parts.deps.writer.executor)) {}

  absl::Status Start() {
    return VisitRows(parts_.deps.writer.store, keys::Organizations(), "", [this](const KeyedRow& row) -> absl::StatusOr<bool> {
      ASSIGN_OR_RETURN(const OrganizationRow organization, Decode<OrganizationRow>(row.row.value));
      if (organization.delete_time != absl::InfiniteFuture() && !IsRetired(organization)) Marked(keys::LastPart(row.key));
      return true;
    });
  }

  void Delete(const std::string& organization, const std::string& confirmation, std::function<void(absl::Status)> done) {
    const absl::Time now = parts_.deps.clock.Now();
    RunTransaction(
        parts_.deps.writer,
        [organization, confirmation, now](Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(OrganizationRow row, ReadOrganization(transaction, organization));
          if (confirmation != organization) return ConfirmationMismatch(organization);
          row.delete_time = now;
          transaction.Put(keys::Organization(organization), Encode(row));
          transaction.Put(keys::Shred(row.uid, ""), Encode(ShredRow{.organization = organization, .delete_time = now}));
          transaction.Describe({.kind = "organization", .name = organization});
          return absl::OkStatus();
        },
        [self = shared_from_this(), organization, done = std::move(done)](const absl::StatusOr<Revision>& committed) {
          FAILPOINT("deletion.marked");
          if (committed.ok()) self->Marked(organization);
          done(committed.status());
        });
  }

 private:
  void Marked(const std::string& organization) {
    parts_.api_keys.EndOrganization(organization);
    if (parts_.forget) parts_.forget(organization);
    strand_->Run([self = shared_from_this(), organization] {
      self->waiting_.push_back(organization);
      if (!self->removal_) self->Next();
    });
  }

  void Next() {
    removal_.reset();
    if (waiting_.empty()) return;
    removal_.emplace(parts_, std::move(waiting_.front()));
    waiting_.pop_front();
    Step();
  }

  void Step() {
    const std::string organization = removal_->organization();
    const absl::StatusOr<bool> more = removal_->Step();
    if (more.ok() && *more) return Later(kDeletionStepInterval);
    // Somebody wrote such a row meanwhile: a region's ack.
    if (absl::IsAborted(more.status())) return Later(kDeletionStepInterval);
    if (!more.ok()) {
      Log(Severity::kError, "organization_deletion_waits", {{"organization", organization}, {"error", more.status()}});
      // The others go on meanwhile.
      waiting_.push_back(organization);
      return strand_->RunAfter(kDeletionRetry, [self = shared_from_this()] { self->Next(); });
    }
    Log(Severity::kInfo, "organization_deleted", {{"organization", organization}});
    if (parts_.deps.quotas != nullptr) parts_.deps.quotas->Forget(organization);
    if (parts_.forget) parts_.forget(organization);
    Next();
  }

  void Later(absl::Duration delay) {
    strand_->RunAfter(delay, [self = shared_from_this()] { self->Step(); });
  }

  const OrganizationDeletionParts parts_;
  const std::shared_ptr<Strand> strand_;
  std::deque<std::string> waiting_;
  std::optional<Removal> removal_;
};

class BackgroundDeletion final : public OrganizationDeletion {
 public:
  explicit BackgroundDeletion(const OrganizationDeletionParts& parts) : deletions_(std::make_shared<Deletions>(parts)) {}
  absl::Status Start() override { return deletions_->Start(); }
  void Delete(const std::string& organization, const std::string& confirmation, std::function<void(absl::Status)> done) override {
    deletions_->Delete(organization, confirmation, std::move(done));
  }

 private:
  const std::shared_ptr<Deletions> deletions_;
};

}  // namespace

std::unique_ptr<OrganizationDeletion> OrganizationDeletion::Create(const OrganizationDeletionParts& parts) {
  return std::make_unique<BackgroundDeletion>(parts);
}

}  // namespace keyferry

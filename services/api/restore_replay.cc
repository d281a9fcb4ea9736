#include "services/api/restore_replay.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/storage/keys.h"
#include "services/api/deployment_rows.h"
#include "services/api/paging.h"
#include "services/api/placements.h"
#include "services/api/secret_sets.h"
#include "services/api/shred_rows.h"

namespace keyferry {
namespace {

class Replay {
 public:
  Replay(Store& store, Term term, absl::Time now) : store_(store), term_(term), now_(now) {}

  absl::StatusOr<ReplayReport> Run(std::span<const ShredRecord> records) && {
    // Of deleted sets, by organization name.
    std::map<std::string, std::set<std::string>> set_uids;
    for (const ShredRecord& record : records) {
      if (record.organization_uid.empty()) continue;
      if (const auto revocation = RevocationOf(record.organization_uid)) {
        RETURN_IF_ERROR(Revoke(*revocation, record));
        continue;
      }
      if (!record.set_uid.empty()) set_uids[record.organization].insert(record.set_uid);
      RETURN_IF_ERROR(record.set_uid.empty() ? DeleteOrganization(record) : DeleteSet(record));
    }
    for (const auto& [organization, uids] : set_uids) RETURN_IF_ERROR(DeleteDeployments(organization, &uids));
    RETURN_IF_ERROR(EndTokens());
    return std::move(report_);
  }

 private:
  absl::Status Commit(const std::function<absl::Status(Transaction&)>& plan) {
    Transaction transaction(store_);
    RETURN_IF_ERROR(plan(transaction));
    return transaction.has_writes() ? CommitAndWait(store_, std::move(transaction).TakeCommit(term_)).status()
                                    : absl::OkStatus();
  }

  // Whole rows may be large: names first.
  absl::StatusOr<std::vector<std::string>> NamesBelow(const RowKey& prefix) {
    std::vector<std::string> names;
    RETURN_IF_ERROR(VisitRows(store_, prefix, "", [&](const KeyedRow& row) -> absl::StatusOr<bool> {
      names.push_back(keys::LastPart(row.key));
      return true;
    }));
    return names;
  }

  absl::Status EraseSet(Transaction& transaction, const SecretSet& set) {
    ASSIGN_OR_RETURN(const std::vector<std::string> agents, NamesBelow(keys::SetUsesOf(set.organization, set.name)));
    transaction.Erase(keys::SecretSet(set.organization, set.name));
    for (int i = 0; i < kMaxGenerationsKept && i < set.generation; ++i) {
      transaction.Erase(keys::Generation(set.organization, set.uid, set.generation - i));
    }
    for (const std::string& agent : agents) transaction.Erase(keys::SetUse(set.organization, set.name, agent));
    transaction.Erase(keys::SetUses(set.organization, set.name));
    report_.secret_sets.push_back(absl::StrCat(set.organization, "/", set.name));
    return DesireDelete(transaction, set.region, ObjectIdOf(set), now_);
  }

  // `uid` empty: whichever it is.
  absl::StatusOr<bool> EraseSetIfThere(Transaction& transaction, const std::string& organization,
                                       const std::string& name, const std::string& uid) {
    ASSIGN_OR_RETURN(auto found, transaction.Get<SecretSet>(keys::SecretSet(organization, name)));
    if (!found || (!uid.empty() && found->value.uid != uid)) return false;
    found->value.organization = organization;
    found->value.name = name;
    RETURN_IF_ERROR(EraseSet(transaction, found->value));
    return true;
  }

  static void Remember(Transaction& transaction, const ShredRecord& record) {
    transaction.Put(
        keys::Shred(record.organization_uid, record.set_uid),
        Encode(ShredRow{.organization = record.organization, .set = record.set, .delete_time = record.time}));
  }

  absl::Status DeleteSet(const ShredRecord& record) {
    return Commit([&](Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(const bool erased,
                       EraseSetIfThere(transaction, record.organization, record.set, record.set_uid));
      if (erased) Remember(transaction, record);
      return absl::OkStatus();
    });
  }

  // Those that bind one of these sets; null: all.
  absl::Status DeleteDeployments(const std::string& organization, const std::set<std::string>* set_uids) {
    ASSIGN_OR_RETURN(const std::vector<std::string> agents, NamesBelow(keys::Deployments(organization)));
    for (const std::string& agent : agents) {
      RETURN_IF_ERROR(Commit([&](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(const std::optional<Deployment> deployment, FindDeployment(transaction, organization, agent));
        if (!deployment) return absl::OkStatus();
        if (set_uids != nullptr && !set_uids->contains(deployment->secret_set_uid) &&
            !set_uids->contains(deployment->image_pull_secret_uid))
          return absl::OkStatus();
        report_.deployments.push_back(absl::StrCat(organization, "/", agent));
        return EraseDeployment(transaction, *deployment, now_);
      }));
    }
    return absl::OkStatus();
  }

  absl::Status DeleteOrganization(const ShredRecord& record) {
    Transaction read(store_);
    ASSIGN_OR_RETURN(const auto found, read.Get<OrganizationRow>(keys::Organization(record.organization)));
    if (!found || found->value.uid != record.organization_uid) return absl::OkStatus();
    RETURN_IF_ERROR(DeleteDeployments(record.organization, nullptr));
    ASSIGN_OR_RETURN(const std::vector<std::string> sets, NamesBelow(keys::SecretSets(record.organization)));
    for (const std::string& name : sets) {
      RETURN_IF_ERROR(Commit([&](Transaction& transaction) {
        return EraseSetIfThere(transaction, record.organization, name, "").status();
      }));
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> api_keys,
                     NamesBelow(keys::ApiKeysOfOrganization(record.organization)));
    return Commit([&](Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(auto organization, transaction.Get<OrganizationRow>(keys::Organization(record.organization)));
      for (const std::string& id : api_keys) {
        transaction.Erase(keys::ApiKey(id));
        transaction.Erase(keys::ApiKeyOfOrganization(record.organization, id));
      }
      organization->value.delete_time = record.time;
      transaction.Put(keys::Organization(record.organization), Encode(organization->value));
      Remember(transaction, record);
      report_.organizations.push_back(record.organization);
      return absl::OkStatus();
    });
  }

  absl::Status Revoke(Revocation revocation, const ShredRecord& record) {
    return Commit([&](Transaction& transaction) -> absl::Status {
      switch (revocation) {
        case Revocation::kApiKey:
        case Revocation::kApiKeyEnd:
          return EndApiKey(transaction, revocation, record);
        case Revocation::kIdentity:
          return RevokeIdentity(transaction, record);
        case Revocation::kProvisioner:
          return RevokeProvisioner(transaction, record);
      }
      return absl::OkStatus();
    });
  }

  absl::Status EndApiKey(Transaction& transaction, Revocation revocation, const ShredRecord& record) {
    const RowKey key = keys::ApiKey(record.set_uid);
    ASSIGN_OR_RETURN(auto found, transaction.Get<ApiKeyRow>(key));
    if (!found || found->value.organization != record.organization) return absl::OkStatus();
    const bool revoked = revocation == Revocation::kApiKey;
    absl::Time& end = revoked ? found->value.revoke_time : found->value.expire_time;
    if (end <= record.time) return absl::OkStatus();
    end = record.time;
    transaction.Put(key, Encode(found->value));
    report_.revoked.push_back(absl::StrCat("API key ", record.set_uid, " of ", record.organization,
                                           revoked ? "" : ", which was rotated, and whose successor is lost"));
    return absl::OkStatus();
  }

  absl::Status RevokeIdentity(Transaction& transaction, const ShredRecord& record) {
    const RowKey key = keys::RevokedIdentity(record.set_uid);
    ASSIGN_OR_RETURN(const std::optional<Row> existing, transaction.Read(key));
    if (existing) return absl::OkStatus();
    transaction.Put(key, Encode(RevokedIdentityRow{
                             .note = "revoked before a restore", .author = "restore", .revoke_time = record.time}));
    report_.revoked.push_back(absl::StrCat("identity ", record.set_uid));
    return absl::OkStatus();
  }

  // One that did not enroll gets a row too, so that nobody enrolls under its id.
  absl::Status RevokeProvisioner(Transaction& transaction, const ShredRecord& record) {
    const size_t slash = std::min(record.set_uid.find('/'), record.set_uid.size() - 1);
    const RowKey key = keys::Provisioner(record.set_uid.substr(0, slash), record.set_uid.substr(slash + 1));
    ASSIGN_OR_RETURN(auto found, transaction.Get<ProvisionerRow>(key));
    ProvisionerRow row =
        found ? std::move(found->value)
              : ProvisionerRow{.enroll_time = absl::InfinitePast(), .certificate_expiry = absl::InfinitePast()};
    if (row.revoke_time <= record.time) return absl::OkStatus();
    row.revoke_time = record.time;
    transaction.Put(key, Encode(row));
    report_.revoked.push_back(absl::StrCat("provisioner ", record.set_uid));
    return absl::OkStatus();
  }

  absl::Status EndTokens() {
    ASSIGN_OR_RETURN(const std::vector<std::string> ids, NamesBelow(keys::EnrollmentTokens()));
    for (const std::string& id : ids) {
      // The row that whoever makes a token touches.
      if (id.empty()) continue;
      RETURN_IF_ERROR(Commit([&](Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(auto token, transaction.Get<EnrollmentTokenRow>(keys::EnrollmentToken(id)));
        if (!token || token->value.use_time <= now_ || token->value.expire_time <= now_) return absl::OkStatus();
        token->value.use_time = now_;
        transaction.Put(keys::EnrollmentToken(id), Encode(token->value));
        report_.revoked.push_back(absl::StrCat("enrollment token ", id, ": make another one where it is still wanted"));
        return absl::OkStatus();
      }));
    }
    return absl::OkStatus();
  }

  Store& store_;
  const Term term_;
  const absl::Time now_;
  ReplayReport report_;
};

}  // namespace

absl::StatusOr<ReplayReport> ReplayShreds(Store& sealed, Term term, std::span<const ShredRecord> records,
                                          absl::Time now) {
  return Replay(sealed, term, now).Run(records);
}

}  // namespace keyferry

#include "services/api/region_provisioners.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"
#include "services/api/shred_rows.h"

namespace keyferry {
namespace {

constexpr char kNote[] = "revoked with its region's provisioners";

class StoredProvisioners final : public RegionProvisioners {
 public:
  explicit StoredProvisioners(Parts parts) : parts_(std::move(parts)) {}

  absl::StatusOr<std::vector<KnownProvisioner>> List(const std::string& region) override {
    std::vector<KnownProvisioner> known;
    for (SessionSummary& session : parts_.directory.Provisioners(region)) {
      std::string id = session.provisioner_id;
      known.push_back({.id = std::move(id), .session = std::move(session)});
    }
    RETURN_IF_ERROR(VisitRows(parts_.writer.store, keys::ProvisionersOf(region), "",
                              [&](const KeyedRow& row) -> absl::StatusOr<bool> {
                                const std::string id = keys::LastPart(row.key);
                                ASSIGN_OR_RETURN(const ProvisionerRow enrolled, Decode<ProvisionerRow>(row.row.value));
                                bool connected = false;
                                for (KnownProvisioner& provisioner : known) {
                                  if (provisioner.id != id) continue;
                                  provisioner.row = enrolled;
                                  connected = true;
                                }
                                if (!connected) known.push_back({.id = id, .row = enrolled});
                                return true;
                              }));
    return known;
  }

  void Revoke(const std::string& region, const std::string& provisioner_id, const std::string& author,
              std::function<void(absl::StatusOr<std::vector<std::string>>)> done) override {
    const auto revoked = std::make_shared<std::vector<std::string>>();
    RunTransaction(
        parts_.writer,
        [this, region, provisioner_id, author, revoked](Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(*revoked, PlanRevoke(transaction, region, provisioner_id, author));
          return absl::OkStatus();
        },
        [this, region, revoked, done = std::move(done)](const absl::StatusOr<Revision>& committed) {
          if (!committed.ok()) return done(committed.status());
          // Before the answer: the doorbell may ring after it.
          if (const absl::Status read = parts_.revoked_identities.Refresh(); !read.ok()) {
            Log(Severity::kWarning, "revocation_follows_later", {{"region", region}, {"error", read}});
          }
          done(*revoked);
        });
  }

 private:
  absl::StatusOr<std::vector<std::string>> PlanRevoke(Transaction& transaction, const std::string& region,
                                                      const std::string& provisioner_id, const std::string& author) {
    RETURN_IF_ERROR(TouchRegion(transaction, region));
    RETURN_IF_ERROR(parts_.tokens.RevokeIn(transaction, region));
    ASSIGN_OR_RETURN(const std::vector<std::string> ids, IdsToRevoke(region, provisioner_id));
    std::vector<std::string> revoked;
    for (const std::string& id : ids) {
      ASSIGN_OR_RETURN(const bool counted, RevokeOne(transaction, region, id, author));
      if (counted) revoked.push_back(id);
    }
    transaction.Describe({.kind = "provisioner", .name = provisioner_id, .region = region});
    return revoked;
  }

  // Enrollments and new tokens read this row: those of the same moment come before this, and are seen, or fail.
  static absl::Status TouchRegion(Transaction& transaction, const std::string& code) {
    std::optional<Row> region;
    if (!CheckRegionCode("code", code)) {
      ASSIGN_OR_RETURN(region, transaction.Read(keys::Region(code)));
    }
    if (!region) return NotFound("REGION_NOT_FOUND", absl::StrCat("there is no region '", code, "'"), code);
    transaction.Put(keys::Region(code), region->value);
    return absl::OkStatus();
  }

  // One that is named counts whether it is known or not: a stolen certificate of --client_ca may have no stream now.
  absl::StatusOr<std::vector<std::string>> IdsToRevoke(const std::string& region, const std::string& provisioner_id) {
    if (!provisioner_id.empty()) {
      if (!CheckRegionCode("provisioner_id", provisioner_id)) return std::vector<std::string>{provisioner_id};
      return NotFound("PROVISIONER_NOT_FOUND", absl::StrCat("'", provisioner_id, "' is no provisioner's id"),
                      provisioner_id);
    }
    ASSIGN_OR_RETURN(const std::vector<KnownProvisioner> known, List(region));
    std::vector<std::string> ids;
    for (const KnownProvisioner& provisioner : known) ids.push_back(provisioner.id);
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  }

  // False: it was before.
  absl::StatusOr<bool> RevokeOne(Transaction& transaction, const std::string& region, const std::string& id,
                                 const std::string& author) {
    const RowKey key = keys::Provisioner(region, id);
    ASSIGN_OR_RETURN(auto row, transaction.Get<ProvisionerRow>(key));
    if (row && row->value.revoke_time != absl::InfiniteFuture()) return false;
    const absl::Time now = parts_.clock.Now();
    // One that did not enroll gets a row too, so that nobody enrolls under its id.
    ProvisionerRow revoked =
        row ? row->value
            : ProvisionerRow{.enroll_time = absl::InfinitePast(), .certificate_expiry = absl::InfinitePast()};
    revoked.revoke_time = now;
    transaction.Put(key, Encode(revoked));
    NoteRevokedProvisioner(transaction, region, id, now);
    const std::string spiffe_id =
        absl::StrCat("spiffe://", parts_.trust_domain, "/region/", region, "/provisioner/", id);
    RETURN_IF_ERROR(parts_.revoked_identities.RevokeIn(transaction, spiffe_id, author, kNote));
    return true;
  }

  const Parts parts_;
};

}  // namespace

std::unique_ptr<RegionProvisioners> RegionProvisioners::Create(Parts parts) {
  return std::make_unique<StoredProvisioners>(std::move(parts));
}

}  // namespace keyferry

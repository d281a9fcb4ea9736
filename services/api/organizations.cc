#include "services/api/organizations.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"
#include "services/api/quotas.h"

namespace keyferry {
namespace {

constexpr size_t kRegionScanRows = 1000;
// First in a page token, so that a token of another listing does not pass for one.
constexpr absl::string_view kTokenTag = "organizations:";

std::string PageTokenAfter(const std::string& name) { return absl::WebSafeBase64Escape(absl::StrCat(kTokenTag, name)); }

// The name that the page before ended with; empty for the first page.
absl::StatusOr<std::string> ParsePageToken(const std::string& token) {
  if (token.empty()) return "";
  std::string text;
  if (absl::WebSafeBase64Unescape(token, &text) && text.starts_with(std::string(kTokenTag))) {
    std::string name = text.substr(kTokenTag.size());
    if (!CheckOrganizationName("page_token", name)) return name;
  }
  return InvalidFields("INVALID_PAGE_TOKEN",
                       {{"page_token", "is not a token of this listing; begin again without one"}});
}

absl::Status CheckChange(const QuotaChange& change) {
  Violations violations;
  const std::pair<const char*, std::optional<int64_t>> fields[] = {
      {"max_secret_sets", change.max_secret_sets},
      {"max_deployments", change.max_deployments},
      {"max_api_keys", change.max_api_keys},
      {"max_calls_per_second", change.max_calls_per_second}};
  bool any = false;
  for (const auto& [name, value] : fields) {
    any |= value.has_value();
    if (value && (*value < 0 || *value > kMaxQuota)) {
      violations.Add("INVALID_QUOTA",
                     FieldViolation{name, absl::StrCat("must be 0 (the default) to ", kMaxQuota, "; found ", *value)});
    }
  }
  if (!any) violations.Add("INVALID_QUOTA", FieldViolation{"max_secret_sets", "or another quota must be given"});
  return violations.ToStatus();
}

void Apply(const QuotaChange& change, OrganizationRow& row) {
  row.max_secret_sets = change.max_secret_sets.value_or(row.max_secret_sets);
  row.max_deployments = change.max_deployments.value_or(row.max_deployments);
  row.max_api_keys = change.max_api_keys.value_or(row.max_api_keys);
  row.max_calls_per_second = change.max_calls_per_second.value_or(row.max_calls_per_second);
}

class StoredOrganizations final : public Organizations {
 public:
  explicit StoredOrganizations(const UseCaseDeps& deps) : deps_(deps) {}

  void Make(const std::string& name, const std::string& display_name,
            std::function<void(absl::StatusOr<NamedOrganization>)> done) override {
    Violations violations;
    violations.Add("INVALID_ORGANIZATION", CheckOrganizationName("name", name));
    if (display_name.size() > kMaxDisplayNameLength) {
      violations.Add("INVALID_ORGANIZATION",
                     FieldViolation{"display_name", absl::StrCat("must have at most ", kMaxDisplayNameLength,
                                                                 " bytes, not ", display_name.size())});
    }
    if (const absl::Status invalid = violations.ToStatus(); !invalid.ok()) return done(invalid);
    const NamedOrganization made{
        .name = name,
        .row = {.uid = NewUid(), .display_name = display_name, .create_time = deps_.clock.Now(), .default_region = ""}};
    RunUseCase<NamedOrganization>(
        deps_, /*validate_only=*/false,
        [this, made](Transaction& transaction) -> absl::StatusOr<NamedOrganization> {
          ASSIGN_OR_RETURN(const auto existing, transaction.Get<OrganizationRow>(keys::Organization(made.name)));
          if (existing) {
            const bool deleted = existing->value.delete_time != absl::InfiniteFuture();
            return MakeError(absl::StatusCode::kAlreadyExists,
                             deleted ? absl::StrCat("organization \"", made.name, "\" was deleted; a name is never given again, choose another")
                                     : absl::StrCat("there is an organization ", made.name, " already"),
                             {.reason = deleted ? "ORGANIZATION_NAME_RETIRED" : "ORGANIZATION_EXISTS", .metadata = {{"resource", made.name}}});
          }
          ASSIGN_OR_RETURN(Mutation key, deps_.barrier.NewOrganizationKey(made.name));
          transaction.Put(key.key, *std::move(key.value));
          transaction.Put(keys::Organization(made.name), Encode(made.row));
          transaction.Describe({.kind = "organization", .name = made.name});
          return made;
        },
        std::move(done));
  }

  absl::StatusOr<OrganizationPage> List(int page_size, const std::string& page_token) override {
    ASSIGN_OR_RETURN(const size_t limit, PageSizeOf(page_size));
    ASSIGN_OR_RETURN(const std::string after, ParsePageToken(page_token));
    OrganizationPage page;
    RETURN_IF_ERROR(
        VisitRows(deps_.writer.store, keys::Organizations(), after, [&](const KeyedRow& row) -> absl::StatusOr<bool> {
          ASSIGN_OR_RETURN(OrganizationRow decoded, Decode<OrganizationRow>(row.row.value));
          if (decoded.delete_time != absl::InfiniteFuture()) return true;
          if (page.organizations.size() == limit) {
            page.next_page_token = PageTokenAfter(page.organizations.back().name);
            return false;
          }
          page.organizations.push_back({.name = keys::LastPart(row.key), .row = std::move(decoded)});
          return true;
        }));
    return page;
  }

  absl::StatusOr<NamedOrganization> Get(const std::string& organization) override {
    Transaction transaction(deps_.writer.store);
    ASSIGN_OR_RETURN(OrganizationRow row, ReadOrganization(transaction, organization));
    return NamedOrganization{.name = organization, .row = std::move(row)};
  }

  absl::StatusOr<OrganizationProperties> GetProperties(const std::string& organization) override {
    Transaction transaction(deps_.writer.store);
    ASSIGN_OR_RETURN(const OrganizationRow row, ReadOrganization(transaction, organization));
    return PropertiesOf(row);
  }

  void UpdateProperties(const std::string& organization, const std::optional<std::string>& default_region,
                        std::function<void(absl::StatusOr<OrganizationProperties>)> done) override {
    if (!default_region) {
      return done(InvalidFields("INVALID_PROPERTY",
                                {{"default_region", "must be given: there is no other property to change"}}));
    }
    RunUseCase<OrganizationProperties>(
        deps_, /*validate_only=*/false,
        [this, organization,
         region = *default_region](Transaction& transaction) -> absl::StatusOr<OrganizationProperties> {
          ASSIGN_OR_RETURN(OrganizationRow row, ReadOrganization(transaction, organization));
          RETURN_IF_ERROR(ReadRegion(transaction, "default_region", region).status());
          row.default_region = region;
          transaction.Put(keys::Organization(organization), Encode(row));
          transaction.Describe({.kind = "organization", .name = organization, .region = region});
          return PropertiesOf(row);
        },
        std::move(done));
  }

  absl::StatusOr<OrganizationQuota> GetQuota(const std::string& organization) override {
    Transaction transaction(deps_.writer.store);
    ASSIGN_OR_RETURN(const OrganizationRow row, ReadOrganization(transaction, organization));
    return QuotaOf(organization, row);
  }

  void UpdateQuota(const std::string& organization, const QuotaChange& change,
                   std::function<void(absl::StatusOr<OrganizationQuota>)> done) override {
    if (const absl::Status invalid = CheckChange(change); !invalid.ok()) return done(invalid);
    RunUseCase<OrganizationQuota>(
        deps_, /*validate_only=*/false,
        [this, organization, change](Transaction& transaction) -> absl::StatusOr<OrganizationQuota> {
          ASSIGN_OR_RETURN(OrganizationRow row, ReadOrganization(transaction, organization));
          Apply(change, row);
          transaction.Describe({.kind = "organization", .name = organization});
          transaction.Put(keys::Organization(organization), Encode(row));
          return QuotaOf(organization, row);
        },
        // Not on the store's thread, which answers everybody's commits: who is told goes on reading.
        [&executor = deps_.writer.executor, done = std::move(done)](const absl::StatusOr<OrganizationQuota>& quota) {
          executor.Run([done, quota] { done(quota); });
        });
  }

 private:
  absl::StatusOr<OrganizationQuota> QuotaOf(const std::string& organization, const OrganizationRow& row) const {
    OrganizationQuota quota{.organization = organization,
                            .max_secret_sets = LimitOf(QuotaKind::kSecretSets, row),
                            .max_deployments = LimitOf(QuotaKind::kDeployments, row),
                            .max_api_keys = row.max_api_keys == 0 ? kDefaultMaxApiKeys : row.max_api_keys,
                            .max_calls_per_second = row.max_calls_per_second};
    if (deps_.quotas == nullptr) return quota;
    ASSIGN_OR_RETURN(quota.secret_set_count, deps_.quotas->CountOf(organization, QuotaKind::kSecretSets));
    ASSIGN_OR_RETURN(quota.deployment_count, deps_.quotas->CountOf(organization, QuotaKind::kDeployments));
    return quota;
  }

  absl::StatusOr<OrganizationProperties> PropertiesOf(const OrganizationRow& row) const {
    OrganizationProperties properties{.default_region = DefaultRegionOf(row)};
    const RowKey begin = keys::Regions();
    ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows,
                     deps_.writer.store.Scan(begin, PrefixEnd(begin.bytes), kRegionScanRows));
    for (const KeyedRow& region : rows) properties.available_regions.push_back(keys::LastPart(region.key));
    return properties;
  }

  const UseCaseDeps deps_;
};

}  // namespace

std::unique_ptr<Organizations> Organizations::Create(const UseCaseDeps& deps) {
  return std::make_unique<StoredOrganizations>(deps);
}

}  // namespace keyferry

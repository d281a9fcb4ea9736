#include "services/api/organizations.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"
#include "services/api/paging.h"

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
          ASSIGN_OR_RETURN(const std::optional<Row> existing, transaction.Read(keys::Organization(made.name)));
          if (existing) {
            return MakeError(absl::StatusCode::kAlreadyExists,
                             absl::StrCat("there is an organization ", made.name, " already"),
                             {.reason = "ORGANIZATION_EXISTS", .metadata = {{"resource", made.name}}});
          }
          ASSIGN_OR_RETURN(Mutation key, deps_.barrier.NewOrganizationKey(made.name));
          transaction.Put(key.key, *std::move(key.value));
          transaction.Put(keys::Organization(made.name), Encode(made.row));
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
          if (page.organizations.size() == limit) {
            page.next_page_token = PageTokenAfter(page.organizations.back().name);
            return false;
          }
          ASSIGN_OR_RETURN(OrganizationRow decoded, Decode<OrganizationRow>(row.row.value));
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
          return PropertiesOf(row);
        },
        std::move(done));
  }

 private:
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

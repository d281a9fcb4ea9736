#include "services/api/use_case.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/error.h"
#include "libs/model/names.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

constexpr size_t kMaxRegionsListed = 1000;

absl::StatusOr<std::string> RegionList(const Store& store) {
  const RowKey begin = keys::Regions();
  ASSIGN_OR_RETURN(const std::vector<KeyedRow> rows, store.Scan(begin, PrefixEnd(begin.bytes), kMaxRegionsListed));
  return absl::StrJoin(rows, ", ", [](std::string* out, const KeyedRow& row) { out->append(keys::LastPart(row.key)); });
}

}  // namespace

absl::StatusOr<OrganizationRow> ReadOrganization(Transaction& transaction, const std::string& organization) {
  if (auto violation = CheckOrganizationName("organization", organization)) {
    return InvalidFields("INVALID_ORGANIZATION", {*std::move(violation)});
  }
  ASSIGN_OR_RETURN(auto row, transaction.Get<OrganizationRow>(keys::Organization(organization)));
  if (!row) {
    return NotFound("ORGANIZATION_NOT_FOUND", absl::StrCat("organization \"", organization, "\" does not exist"),
                    organization);
  }
  return std::move(row->value);
}

std::string DefaultRegionOf(const OrganizationRow& organization) {
  return organization.default_region.empty() ? kDefaultRegion : organization.default_region;
}

absl::StatusOr<RegionRow> ReadRegion(Transaction& transaction, std::string_view field, const std::string& region) {
  const bool named = !CheckRegionCode(field, region);
  if (named) {
    ASSIGN_OR_RETURN(auto row, transaction.Get<RegionRow>(keys::Region(region)));
    if (row) return std::move(row->value);
  }
  ASSIGN_OR_RETURN(const std::string regions, RegionList(transaction.store()));
  const std::string description =
      absl::StrCat(named ? absl::StrCat("there is no region \"", region, "\"") : "this is no name of a region",
                   regions.empty() ? "; there are none yet" : absl::StrCat("; the regions are: ", regions));
  return MakeError(absl::StatusCode::kInvalidArgument, description,
                   {.reason = "UNKNOWN_REGION",
                    .metadata = {{"regions", regions}},
                    .violations = {{.field = std::string(field), .description = description}}});
}

void CheckConditions(const WriteConditions& conditions, Violations& violations) {
  if (conditions.request_id.empty()) return;
  violations.Add("INVALID_REQUEST_ID", CheckRequestId("request_id", conditions.request_id));
}

absl::Status CheckEtag(std::string_view etag, std::string_view current) {
  if (etag.empty() || etag == current) return absl::OkStatus();
  return MakeError(absl::StatusCode::kAborted,
                   current.empty() ? "an etag was given, but there is no such object any more"
                                   : "the object has changed since this etag was read; read it again and decide again",
                   {.reason = "ETAG_MISMATCH", .metadata = {{"etag", std::string(current)}}});
}

}  // namespace keyferry

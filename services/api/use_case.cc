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

// `secret set "app"`
std::string Named(const WriteSubject& subject) {
  return absl::StrCat(absl::string_view(subject.noun.data(), subject.noun.size()), " \"", subject.name, "\"");
}

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
  if (!row || row->value.delete_time != absl::InfiniteFuture()) {
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

absl::Status CheckEtag(std::string_view etag, std::string_view current, const std::optional<WriteSubject>& subject) {
  if (etag.empty() || etag == current) return absl::OkStatus();
  ErrorDetails details{.reason = "ETAG_MISMATCH", .metadata = {{"etag", std::string(current)}}};
  if (subject) details.metadata.emplace(subject->metadata_key, subject->name);
  const std::string object = subject ? Named(*subject) : "object";
  return MakeError(absl::StatusCode::kAborted,
                   current.empty()
                       ? absl::StrCat("an etag was given, but there is no ", subject ? "" : "such ", object, " any more")
                       : absl::StrCat(subject ? "" : "the ", object,
                                      " has changed since this etag was read; read it again and decide again"),
                   std::move(details));
}

absl::Status NameConflict(absl::Status status, const std::optional<WriteSubject>& subject) {
  std::optional<ErrorDetails> details = DetailsOf(status);
  if (!subject || !details || details->reason != "CONCURRENT_MODIFICATION") return status;
  details->metadata.emplace(subject->metadata_key, subject->name);
  return MakeError(status.code(),
                   absl::StrCat("other writes of ", Named(*subject),
                                " kept coming in between and nothing was written; try again"),
                   *std::move(details));
}

}  // namespace keyferry

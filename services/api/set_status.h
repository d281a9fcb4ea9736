// Secret sets as their readers see them: the row and what its region said about it. Reads pin nothing.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_API_SET_STATUS_H_
#define KEYFERRY_SERVICES_API_SET_STATUS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/model/secret_set.h"
#include "services/api/placements.h"
#include "services/api/use_case.h"

namespace keyferry {

struct SecretSetView {
  SecretSet set;
  PlacementStatus status;
  // nullopt: not known.
  std::optional<bool> region_connected;
};

struct SecretSetPage {
  std::vector<SecretSetView> sets;
  // Empty on the last page.
  std::string next_page_token;
};

struct SecretSetListing {
  std::string organization;
  // Empty: all regions.
  std::string region;
  int page_size = 0;
  std::string page_token;
};

ObjectId ObjectIdOf(const SecretSet& set);

// InvalidArgument INVALID_SECRET_SET_NAME. To be asked before a row key is made of the name.
absl::Status CheckSetName(const std::string& name);
absl::Status SecretSetNotFound(const std::string& name);

// With organization and name filled in; pinned in the transaction. nullopt when there is none.
absl::StatusOr<std::optional<SecretSet>> FindSet(Transaction& transaction, const std::string& organization,
                                                 const std::string& name);

// Of a FAILED object: the region's cause, and what its owner can do. For customers.
std::string FailureText(const PlacementStatus& status);

// What its region says of the set now, which may be about a later generation.
absl::StatusOr<SecretSetView> ViewOf(const UseCaseDeps& deps, SecretSet set);
// The set, read a moment ago, and what its region says of it, as they were at one moment: a write in between has the set read again.
// nullopt: it is gone by now.
absl::StatusOr<std::optional<SecretSetView>> CurrentView(const UseCaseDeps& deps, SecretSet set);

// NotFound SECRET_SET_NOT_FOUND, ORGANIZATION_NOT_FOUND.
absl::StatusOr<SecretSetView> GetSet(const UseCaseDeps& deps, const std::string& organization, const std::string& name);
// In order of name. A page with a token may be short or empty (paging.h). InvalidArgument INVALID_PAGE_SIZE,
// INVALID_PAGE_TOKEN.
absl::StatusOr<SecretSetPage> ListSets(const UseCaseDeps& deps, const SecretSetListing& listing);
// Newest first. NotFound as GetSet.
absl::StatusOr<std::vector<Generation>> ListGenerations(const UseCaseDeps& deps, const std::string& organization,
                                                        const std::string& name);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_STATUS_H_

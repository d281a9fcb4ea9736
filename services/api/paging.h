// Pages of a listing in order of name. A token names the last object shown and carries a keyed tag over the listing's
// parameters, so that a token of another listing, or of another organization, is refused.
//
// Thread safety: immutable.
#ifndef KEYFERRY_SERVICES_API_PAGING_H_
#define KEYFERRY_SERVICES_API_PAGING_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/storage/barrier.h"

namespace keyferry {

// 1 to kMaxPageSize; kDefaultPageSize for 0. InvalidArgument INVALID_PAGE_SIZE for less.
absl::StatusOr<size_t> PageSizeOf(int requested);

class PageTokens {
 public:
  // `listing`: what is listed, with every parameter.
  PageTokens(std::shared_ptr<const OrganizationKeys> keys, std::string listing);
  std::string Make(std::string_view last_name) const;
  // The last name shown; empty for an empty token. InvalidArgument INVALID_PAGE_TOKEN.
  absl::StatusOr<std::string> Parse(const std::string& token) const;

 private:
  std::string Tag(std::string_view last_name) const;

  const std::shared_ptr<const OrganizationKeys> keys_;
  const std::string listing_;
};

// Gives `take` the rows below `prefix` behind `after` (a name; empty: from the first), in order, until it answers false
// or the rows end.
absl::Status VisitRows(const Store& store, const RowKey& prefix, const std::string& after,
                       const std::function<absl::StatusOr<bool>(const KeyedRow&)>& take);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_PAGING_H_

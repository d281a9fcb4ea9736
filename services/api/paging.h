// Pages of a listing in order of name. A token names the last object looked at and carries a keyed tag over the
// listing's parameters, so that a token of another listing, or of another organization, is refused.
//
// Thread safety: immutable.
#ifndef KEYFERRY_SERVICES_API_PAGING_H_
#define KEYFERRY_SERVICES_API_PAGING_H_

#include <cstddef>
#include <functional>
#include <initializer_list>
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
  // The last name looked at; empty for an empty token. InvalidArgument INVALID_PAGE_TOKEN.
  absl::StatusOr<std::string> Parse(const std::string& token) const;

 private:
  std::string Tag(std::string_view last_name) const;

  const std::shared_ptr<const OrganizationKeys> keys_;
  const std::string listing_;
};

// Where a page ends: at page_size objects, at kMaxPageBytes of them, or after kMaxPageRows rows. Each row is first
// looked at, then passed over or admitted; whichever answers false ends the page before this row. The first row is
// always looked at and the first object always admitted, so that every page gets on.
//
// Thread safety: confined to one thread.
class PageBudget {
 public:
  explicit PageBudget(size_t page_size) : page_size_(page_size) {}
  bool Look(const RowKey& row);
  bool Admit(size_t bytes);
  // Name of the last row of a page that was ended; empty: it was not, and nothing follows.
  const std::string& last_name() const { return last_name_; }

 private:
  bool End();

  const size_t page_size_;
  size_t objects_ = 0;
  size_t bytes_ = 0;
  size_t rows_ = 0;
  std::string row_;
  std::string row_before_;
  std::string last_name_;
};

// What these strings take in a message on the wire, or a little more.
size_t TextBytesOf(std::initializer_list<std::string_view> texts);
size_t TextBytesOf(const std::vector<std::string>& texts);

// Gives `take` the rows below `prefix` behind `after` (a name; empty: from the first), in order, until it answers false
// or the rows end.
absl::Status VisitRows(const Store& store, const RowKey& prefix, const std::string& after,
                       const std::function<absl::StatusOr<bool>(const KeyedRow&)>& take);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_PAGING_H_

// Lists over REST: one page where the client asks for one (?limit or ?after), all of it otherwise, within limits.
//
// Thread safety: free functions from any thread; a ListText is confined to one.
#ifndef KEYFERRY_SERVICES_GATEWAY_LISTING_H_
#define KEYFERRY_SERVICES_GATEWAY_LISTING_H_

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "services/gateway/json_object.h"
#include "services/gateway/request_values.h"
#include "services/gateway/wire_values.h"

namespace keyferry::gateway {

// The most that a list without ?limit holds, and the most pages that it looks at, as a page may be empty.
inline constexpr size_t kMaxListedAgents = 5'000;
inline constexpr size_t kMaxListedSets = 20'000;
inline constexpr size_t kMaxListBytes = 16 << 20;
inline constexpr int kMaxListPages = 2'000;

template <typename CallT>
struct ListQuery {
  CallT call;
  bool is_one_page = false;
};

// ?region, ?limit and ?after; `known` are all that may be there. InvalidArgument INVALID_QUERY.
template <typename CallT>
absl::StatusOr<ListQuery<CallT>> ParseList(const Request& request, std::initializer_list<std::string_view> known) {
  RETURN_IF_ERROR(CheckQuery(request, known));
  ASSIGN_OR_RETURN(const std::optional<std::string> region, QueryValue(request, "region"));
  ASSIGN_OR_RETURN(const std::optional<int64_t> limit, QueryInteger(request, "limit", 1, kMaxPageSize));
  ASSIGN_OR_RETURN(const std::optional<std::string> after, QueryValue(request, "after"));
  ListQuery<CallT> query{.is_one_page = limit || after};
  query.call.set_organization(request.Parameter("org"));
  query.call.set_region(region.value_or(""));
  query.call.set_page_size(static_cast<int32_t>(limit.value_or(kMaxPageSize)));
  query.call.set_page_token(after.value_or(""));
  return query;
}

// The text of a list as it grows: the objects of thousands of entries would take five times the room.
class ListText {
 public:
  // `member` of the answer holds the entries; `noun` is what they are: `secret sets`.
  ListText(std::string_view member, std::string_view noun, size_t max_entries);

  void Add(const Json& entry);
  bool Fits() const { return count_ <= max_entries_ && body_.size() <= kMaxListBytes; }
  Answer Finish(const std::string& next_page_token) &&;
  // InvalidArgument LIST_TOO_LARGE, which says how to read it in pages.
  absl::Status TooLarge() const;

 private:
  const std::string noun_;
  const size_t max_entries_;
  std::string body_;
  size_t count_ = 0;
};

// 200 with an ETag, or 304 when the client has it.
Answer TaggedAnswer(const Request& request, std::string_view etag, const Json& body);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_LISTING_H_

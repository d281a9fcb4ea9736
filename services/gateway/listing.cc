#include "services/gateway/listing.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"

namespace keyferry::gateway {

ListText::ListText(std::string_view member, std::string_view noun, size_t max_entries)
    : noun_(noun), max_entries_(max_entries), body_(absl::StrCat("{\"", std::string(member), "\":[")) {}

void ListText::Add(const Json& entry) { absl::StrAppend(&body_, count_++ > 0 ? "," : "", JsonLine(entry)); }

Answer ListText::Finish(const std::string& next_page_token) && {
  absl::StrAppend(&body_, "]");
  if (!next_page_token.empty()) absl::StrAppend(&body_, R"(,"nextPageToken":)", JsonLine(next_page_token));
  absl::StrAppend(&body_, "}");
  return {.body = std::move(body_)};
}

absl::Status ListText::TooLarge() const {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("there are more than ", max_entries_, " ", noun_, ", or more than ", kMaxListBytes >> 20,
                                " MiB of them; read them in pages: ?limit=", kMaxPageSize,
                                ", then with &after= and the answer's nextPageToken, or one region: ?region="),
                   {.reason = "LIST_TOO_LARGE"});
}

Answer TaggedAnswer(const Request& request, std::string_view etag, const Json& body) {
  Answer answer = JsonAnswer(200, body);
  const std::string entity_tag = EntityTag(etag, answer.body);
  if (IsKnownToClient(request, entity_tag)) answer = Answer{.status = 304};
  answer.headers.push_back({"ETag", entity_tag});
  return answer;
}

}  // namespace keyferry::gateway

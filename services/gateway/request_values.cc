#include "services/gateway/request_values.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "services/gateway/json_object.h"

namespace keyferry::gateway {
namespace {

constexpr uint64_t kFnvBasis = 0xcbf29ce484222325;
constexpr uint64_t kFnvPrime = 0x100000001b3;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::Status BadHeader(std::string_view name, std::string_view description) {
  return InvalidFields("INVALID_HEADER", {{std::string(name), std::string(description)}});
}

absl::Status BadQuery(std::string_view name, std::string_view description) {
  return InvalidFields("INVALID_QUERY", {{std::string(name), std::string(description)}});
}

std::vector<std::string_view> HeaderValues(const Request& request, std::string_view name) {
  std::vector<std::string_view> values;
  for (const Header& header : request.headers) {
    if (absl::EqualsIgnoreCase(header.name, View(name))) values.push_back(header.value);
  }
  return values;
}

// The members of all headers of that name, which are lists.
std::vector<absl::string_view> ListMembers(const Request& request, std::string_view name) {
  std::vector<absl::string_view> members;
  for (const std::string_view value : HeaderValues(request, name)) {
    for (const absl::string_view member : absl::StrSplit(View(value), ',')) {
      members.push_back(absl::StripAsciiWhitespace(member));
    }
  }
  return members;
}

std::string_view Unquoted(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// Empty when there is no such header.
absl::StatusOr<std::string_view> OnlyValue(const Request& request, std::string_view name) {
  const std::vector<std::string_view> values = HeaderValues(request, name);
  if (values.empty()) return std::string_view();
  if (values.size() > 1) return BadHeader(name, "must be there once");
  const std::string_view value = Unquoted(values.front());
  if (value.empty()) return BadHeader(name, "must not be empty; leave it out instead");
  if (!std::all_of(value.begin(), value.end(), absl::ascii_isprint)) return BadHeader(name, "must be printable ASCII");
  return value;
}

absl::StatusOr<std::string> EtagOf(const Request& request) {
  constexpr std::string_view kName = "If-Match";
  ASSIGN_OR_RETURN(const std::string_view value, OnlyValue(request, kName));
  if (value == "*") {
    return BadHeader(kName,
                     "`*` is not taken here; send the `etag` that the set's last answer gave, or no If-Match to write "
                     "whatever is there");
  }
  if (value.starts_with("W/")) return BadHeader(kName, "a weak etag cannot guard a write");
  if (value.starts_with('-') || value.find_first_of(",\" ") != std::string_view::npos) {
    return BadHeader(kName, "must be one etag, as `\"etag\"`");
  }
  return std::string(value.substr(0, value.find('-')));
}

// Quality 0 says that the client takes anything but this.
bool IsRefused(const std::vector<absl::string_view>& range) {
  return std::any_of(range.begin() + 1, range.end(), [](absl::string_view parameter) {
    double quality = 1;
    parameter = absl::StripAsciiWhitespace(parameter);
    return absl::ConsumePrefix(&parameter, "q=") && absl::SimpleAtod(parameter, &quality) && quality <= 0;
  });
}

// Digits alone: no sign, no space.
std::optional<int64_t> Number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || text.front() == '-' || error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return number;
}

std::optional<absl::Duration> DurationOf(absl::string_view text) {
  int64_t unit_millis = 1000;
  if (absl::ConsumeSuffix(&text, "ms")) {
    unit_millis = 1;
  } else if (absl::ConsumeSuffix(&text, "m")) {
    unit_millis = 60'000;
  } else {
    absl::ConsumeSuffix(&text, "s");
  }
  const std::optional<int64_t> count = Number({text.data(), text.size()});
  if (!count) return std::nullopt;
  return absl::Milliseconds(unit_millis) * *count;
}

}  // namespace

absl::StatusOr<WriteHeaders> WriteHeadersOf(const Request& request) {
  if (!HeaderValues(request, "If-None-Match").empty()) {
    return BadHeader("If-None-Match",
                     "is not taken by writes, and there is no write that only creates a set; to guard a write of a set "
                     "that is there, send If-Match with the `etag` of its last answer");
  }
  WriteHeaders headers;
  ASSIGN_OR_RETURN(headers.etag, EtagOf(request));
  ASSIGN_OR_RETURN(headers.request_id, OnlyValue(request, "Idempotency-Key"));
  return headers;
}

std::string EntityTag(std::string_view etag, std::string_view body) {
  uint64_t hash = kFnvBasis;
  for (const unsigned char c : body) hash = (hash ^ c) * kFnvPrime;
  return absl::StrFormat("\"%s-%016x\"", View(etag), hash);
}

bool IsKnownToClient(const Request& request, std::string_view entity_tag) {
  for (absl::string_view member : ListMembers(request, "If-None-Match")) {
    absl::ConsumePrefix(&member, "W/");
    if (member == "*" || member == View(entity_tag)) return true;
  }
  return false;
}

absl::StatusOr<std::optional<int64_t>> QueryInteger(const Request& request, std::string_view name, int64_t least,
                                                    int64_t most) {
  ASSIGN_OR_RETURN(const std::optional<std::string> text, QueryValue(request, name));
  if (!text) return std::nullopt;
  const std::optional<int64_t> number = Number(*text);
  if (!number || *number < least || *number > most) {
    const bool bounded = most < std::numeric_limits<int64_t>::max();
    return BadQuery(name, bounded ? absl::StrCat("must be an integer from ", least, " to ", most)
                                  : absl::StrCat("must be an integer of ", least, " or more"));
  }
  return number;
}

absl::StatusOr<std::optional<absl::Duration>> QueryDuration(const Request& request, std::string_view name,
                                                            absl::Duration most) {
  ASSIGN_OR_RETURN(const std::optional<std::string> text, QueryValue(request, name));
  if (!text) return std::nullopt;
  const std::optional<absl::Duration> duration = DurationOf(*text);
  if (!duration || *duration > most) {
    return BadQuery(name,
                    absl::StrCat("must be a time such as 30s, 500ms or 2m, at most ", absl::FormatDuration(most)));
  }
  return duration;
}

bool Accepts(const Request& request, std::string_view type) {
  const std::vector<absl::string_view> ranges = ListMembers(request, "Accept");
  if (ranges.empty()) return true;
  const std::string group = absl::StrCat(View(type.substr(0, type.find('/'))), "/*");
  return std::any_of(ranges.begin(), ranges.end(), [&](absl::string_view text) {
    const std::vector<absl::string_view> range = absl::StrSplit(text, ';');
    const absl::string_view name = absl::StripAsciiWhitespace(range.front());
    const bool covers =
        absl::EqualsIgnoreCase(name, View(type)) || absl::EqualsIgnoreCase(name, group) || name == "*/*";
    return covers && !IsRefused(range);
  });
}

}  // namespace keyferry::gateway

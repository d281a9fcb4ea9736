#include "services/gateway/json_object.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/status_macros.h"
#include "services/gateway/json_text.h"
#include "services/gateway/media_type.h"

namespace keyferry::gateway {
namespace {

using nlohmann::json;

constexpr int64_t kMaxExactInteger = (int64_t{1} << 53) - 1;
// Our longest has 18 characters; keys and tokens begin at 32.
constexpr size_t kMaxShownNameLength = 24;

// A name that is safe to repeat: what a person typed as a member's name, and no secret in the place of one.
bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxShownNameLength && absl::ascii_isalpha(name[0]) &&
         std::all_of(name.begin(), name.end(), absl::ascii_isalnum);
}

std::optional<int64_t> ToExactInteger(const json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number <= uint64_t{kMaxExactInteger}) return static_cast<int64_t>(number);
  } else if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();
    if (number >= -kMaxExactInteger && number <= kMaxExactInteger) return number;
  } else if (value.is_number_float()) {
    const auto number = value.get<double>();
    if (std::abs(number) <= kMaxExactInteger && std::trunc(number) == number) return static_cast<int64_t>(number);
  }
  return std::nullopt;
}

absl::Status UnsupportedMediaType(std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message, {.reason = "UNSUPPORTED_MEDIA_TYPE"});
}

}  // namespace

JsonObject::JsonObject(const json& value, std::string path) : value_(value), path_(std::move(path)) {
  if (value_.is_object()) return;
  const std::string self = path_.empty() ? "body" : path_.substr(0, path_.size() - 1);
  violations_.Add({self, "must be an object"});
}

const json* JsonObject::Find(std::string_view name) {
  asked_.emplace(name);
  if (!value_.is_object()) return nullptr;
  const auto member = value_.find(name);
  return member == value_.end() || member->is_null() ? nullptr : &*member;
}

bool JsonObject::Has(std::string_view name) const { return value_.is_object() && value_.contains(name); }

std::optional<std::string> JsonObject::String(std::string_view name) {
  const json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  AddViolation(name, "must be a string");
  return std::nullopt;
}

std::optional<bool> JsonObject::Bool(std::string_view name) {
  const json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  AddViolation(name, "must be true or false, without quotes");
  return std::nullopt;
}

std::optional<int64_t> JsonObject::Integer(std::string_view name) {
  const json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const std::optional<int64_t> number = ToExactInteger(*value);
  if (!number) AddViolation(name, "must be an integer from -9007199254740991 to 9007199254740991, without quotes");
  return number;
}

std::optional<int64_t> JsonObject::PositiveInteger(std::string_view name) {
  const json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const std::optional<int64_t> number = ToExactInteger(*value);
  if (number && *number >= 1) return number;
  AddViolation(name, "must be an integer of 1 or more, without quotes");
  return std::nullopt;
}

const json* JsonObject::Array(std::string_view name) {
  const json* value = Find(name);
  if (value == nullptr || value->is_array()) return value;
  AddViolation(name, "must be an array");
  return nullptr;
}

const json* JsonObject::Object(std::string_view name) {
  const json* value = Find(name);
  if (value == nullptr || value->is_object()) return value;
  AddViolation(name, "must be an object");
  return nullptr;
}

void JsonObject::Violations::Add(FieldViolation violation) {
  ++count;
  if (kept.size() < kMaxViolations) kept.push_back(std::move(violation));
}

void JsonObject::Violations::Append(Violations other) {
  const size_t total = count + other.count;
  for (FieldViolation& violation : other.kept) Add(std::move(violation));
  count = total;
}

void JsonObject::AddViolation(std::string_view member, std::string_view description) {
  violations_.Add({absl::StrCat(path_, std::string(member)), std::string(description)});
}

void JsonObject::Absorb(JsonObject child) {
  unknown_members_.Append(child.UnknownMembers());
  violations_.Append(std::move(child.violations_));
}

JsonObject::Violations JsonObject::UnknownMembers() {
  Violations unknown = std::move(unknown_members_);
  if (!value_.is_object()) return unknown;
  const std::string known = absl::StrJoin(
      asked_, ", ", [](std::string* out, const std::string& name) { absl::StrAppend(out, "\"", name, "\""); });
  size_t number = 0;
  for (const auto& [name, value] : value_.get_ref<const json::object_t&>()) {
    ++number;
    if (asked_.contains(name)) continue;
    if (IsPlainName(name)) {
      unknown.Add({path_ + name, "unknown member; known are " + known});
    } else {
      unknown.Add({absl::StrCat(path_, "member ", number),
                   "unknown member, counted in the order of names and not shown; known are " + known});
    }
  }
  return unknown;
}

absl::Status JsonObject::ToStatus() const {
  if (violations_.count == 0) return absl::OkStatus();
  std::vector<FieldViolation> listed = violations_.kept;
  if (violations_.count > listed.size()) {
    listed.back() = {"body", absl::StrCat("and ", violations_.count - listed.size() + 1, " more violations")};
  }
  return InvalidFields("INVALID_BODY", std::move(listed));
}

absl::Status JsonObject::Finish() {
  violations_.Append(UnknownMembers());
  return ToStatus();
}

absl::Status JsonObject::FinishLenient() { return ToStatus(); }

absl::StatusOr<json> BodyOf(const Request& request) {
  const std::optional<std::string_view> type = request.FindHeader("Content-Type");
  if (!type && !request.body.empty())
    return UnsupportedMediaType("the body needs the header `Content-Type: application/json`, once");
  if (type && !IsJsonMediaType(*type)) {
    return UnsupportedMediaType(
        "the header Content-Type is not application/json (in UTF-8), which is all that is taken here");
  }
  const std::optional<std::string_view> encoding = request.FindHeader("Content-Encoding");
  if (encoding && !absl::EqualsIgnoreCase({encoding->data(), encoding->size()}, "identity")) {
    return UnsupportedMediaType("the body has a Content-Encoding; send it as it is");
  }
  ASSIGN_OR_RETURN(json body, ParseJson(request.body));
  if (!body.is_object()) return InvalidFields("INVALID_BODY", {{"body", "must be a JSON object"}});
  return body;
}

absl::Status CheckQuery(const Request& request, std::initializer_list<std::string_view> known) {
  const auto unknown = std::find_if(request.query.begin(), request.query.end(), [&](const auto& parameter) {
    return std::find(known.begin(), known.end(), parameter.first) == known.end();
  });
  if (unknown == request.query.end()) return absl::OkStatus();
  const bool has_body = request.method == "PUT" || request.method == "POST" || request.method == "PATCH";
  std::string rule = has_body ? "there are no query parameters here; what this request takes stands in its body"
                              : "there are no query parameters here";
  if (known.size() > 0) {
    rule = absl::StrCat("the query parameters here are: ",
                        absl::StrJoin(known, ", ", [](std::string* out, std::string_view name) { out->append(name); }));
  }
  const bool shown = IsPlainName(unknown->first);
  return InvalidFields("INVALID_QUERY", {{shown ? unknown->first : "query", "unknown query parameter; " + rule}});
}

absl::StatusOr<std::optional<std::string>> QueryValue(const Request& request, std::string_view name) {
  std::optional<std::string> found;
  for (const auto& [parameter, value] : request.query) {
    if (parameter != name) continue;
    if (found) return InvalidFields("INVALID_QUERY", {{std::string(name), "is in the query more than once"}});
    found = value;
  }
  return found;
}

absl::StatusOr<bool> QueryFlag(const Request& request, std::string_view name) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, QueryValue(request, name));
  if (!value || *value == "false") return false;
  if (*value == "true") return true;
  return InvalidFields("INVALID_QUERY", {{std::string(name), "must be true or false"}});
}

}  // namespace keyferry::gateway

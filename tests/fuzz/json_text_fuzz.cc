// JSON from outside: what is accepted is JSON to another parser too and survives being written; what is refused is
// refused for one of our reasons, at a place inside the text.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/numbers.h"
#include "libs/common/error.h"
#include "services/gateway/json_text.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

using nlohmann::json;

int DepthOf(const json& value) {
  int deepest = 0;
  for (const json& child : value) {
    if (value.is_structured()) deepest = std::max(deepest, DepthOf(child));
  }
  return deepest + (value.is_structured() ? 1 : 0);
}

int CountOf(const json& value) {
  int count = 1;
  if (!value.is_structured()) return count;
  for (const json& child : value) count += CountOf(child);
  return count;
}

void CheckAccepted(std::string_view text, const json& value) {
  Require(json::accept(text), "what ParseJson accepts is JSON");
  Require(DepthOf(value) <= gateway::kMaxJsonDepth, "no deeper than kMaxJsonDepth");
  Require(CountOf(value) <= gateway::kMaxJsonValues, "no more values than kMaxJsonValues");
  const absl::StatusOr<json> again = gateway::ParseJson(value.dump());
  Require(again.ok() && *again == value, "a value survives being written and read");
}

// What other parsers take and ours does not.
bool IsOurRule(std::string_view message) {
  for (const std::string_view rule :
       {"more levels", "more values", "this object has already", "byte order mark", "NUL byte"}) {
    if (message.find(rule) != std::string_view::npos) return true;
  }
  return false;
}

int PositionOf(const ErrorDetails& details, const char* name) {
  int position = 0;
  const auto found = details.metadata.find(name);
  Require(found != details.metadata.end() && absl::SimpleAtoi(found->second, &position),
          "the refusal names line and column");
  return position;
}

void CheckPosition(std::string_view text, const ErrorDetails& details) {
  const int line = PositionOf(details, "line"), column = PositionOf(details, "column");
  size_t begin = 0;
  for (int i = 1; i < line; ++i) {
    begin = text.find('\n', begin) + 1;
    Require(begin != 0, "the line is in the text");
  }
  const size_t length = std::min(text.find('\n', begin), text.size()) - begin;
  // One past the end: there the line break is, or the text ends.
  Require(column >= 1 && static_cast<size_t>(column) <= length + 1, "the column is in its line");
}

void Check(std::string_view text) {
  const absl::StatusOr<json> value = gateway::ParseJson(text);
  if (value.ok()) return CheckAccepted(text, *value);
  RequireCleanError(value.status(), "INVALID_JSON");
  const std::string_view message(value.status().message().data(), value.status().message().size());
  Require(!json::accept(text) || IsOurRule(message), "JSON is refused for a rule of ours only");
  if (message.find("the body is empty") == std::string_view::npos) CheckPosition(text, *DetailsOf(value.status()));
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = keyferry::TextOf(data, size);
  keyferry::Check(text);
  keyferry::Check(keyferry::WithSentinel(text));
  return 0;
}

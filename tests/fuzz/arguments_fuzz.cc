// The arguments of `secrets set`, one a line. `--quiet` stands for an option alone, `--region` for one whose value
// follows.
#include <string>
#include <vector>

#include "cli/key_value_arguments.h"
#include "tests/fuzz/fuzz.h"

namespace keyferry {
namespace {

OptionForm LookUp(std::string_view argument) {
  if (argument == "--quiet" || argument.starts_with("--region=")) return OptionForm::kComplete;
  return argument == "--region" ? OptionForm::kTakesNext : OptionForm::kUnknown;
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
    lines.push_back(text.substr(0, end));
  if (!text.empty()) lines.push_back(text);
  return lines;
}

void Check(std::string_view text) {
  const std::vector<std::string_view> arguments = SplitLines(text);
  const absl::StatusOr<KeyValueArguments> taken = TakeKeyValues(arguments, LookUp);
  if (!taken.ok()) return RequireCleanError(taken.status(), "USAGE");
  Require(taken->values.size() == taken->entries.size(), "each entry's value has its place");
  for (size_t i = 0; i < taken->entries.size(); ++i) {
    const ArgumentTail& place = taken->values[i];
    Require(place.argument < arguments.size() && place.offset <= arguments[place.argument].size(),
            "the place is in an argument");
    Require(arguments[place.argument].substr(place.offset) == taken->entries[i].value.Access(),
            "a value is taken byte for byte");
    Require(CheckKey("", taken->entries[i].key).ok(), "a key that was taken is one");
  }
}

}  // namespace
}  // namespace keyferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = keyferry::TextOf(data, size);
  keyferry::Check(text);
  keyferry::Check(keyferry::WithSentinel(text));
  return 0;
}

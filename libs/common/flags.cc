#include "libs/common/flags.h"

#include <algorithm>

#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"

namespace keyferry {
namespace {

// abseil's flags know no hyphens.
std::vector<std::string> WithUnderscores(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  for (std::string& argument : arguments) {
    if (!argument.starts_with("--")) continue;
    const auto name_end = std::find(argument.begin(), argument.end(), '=');
    std::replace(argument.begin() + 2, name_end, '-', '_');
  }
  return arguments;
}

}  // namespace

std::vector<std::string> ParseFlags(int argc, char** argv, std::string_view usage, std::string sources) {
  absl::SetProgramUsageMessage(absl::string_view(usage.data(), usage.size()));
  absl::FlagsUsageConfig config;
  config.contains_help_flags = [sources = std::move(sources)](absl::string_view file) {
    return std::string_view(file.data(), file.size()).find(sources) != std::string_view::npos;
  };
  config.contains_helpshort_flags = config.contains_help_flags;
  absl::SetFlagsUsageConfig(config);
  std::vector<std::string> arguments = WithUnderscores(argc, argv);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  const std::vector<char*> words = absl::ParseCommandLine(argc, pointers.data());
  return {words.begin() + 1, words.end()};
}

}  // namespace keyferry

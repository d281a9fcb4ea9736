#include "libs/common/flags.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"

namespace keyferry {
namespace {

std::string_view View(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

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

std::string WithHyphens(std::string_view name) {
  std::string text = "--" + std::string(name);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

[[noreturn]] void Refuse(std::string_view program, const std::string& what) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  std::fprintf(stderr, "%.*s: %s; see --help\n", static_cast<int>(name.size()), name.data(), what.c_str());
  std::exit(kExitBadFlags);
}

absl::CommandLineFlag* FindFlag(std::string_view name) {
  if (absl::CommandLineFlag* flag = absl::FindCommandLineFlag(AbslView(name))) return flag;
  if (!name.starts_with("no")) return nullptr;
  absl::CommandLineFlag* negated = absl::FindCommandLineFlag(AbslView(name.substr(2)));
  return negated != nullptr && negated->IsOfType<bool>() ? negated : nullptr;
}

// What ParseCommandLine knows without there being a flag.
bool IsQuestion(std::string_view name) {
  constexpr std::string_view kQuestions[] = {"help",      "helpfull", "helpshort", "helppackage",
                                             "helpmatch", "helpon",   "version"};
  return std::find(std::begin(kQuestions), std::end(kQuestions), name) != std::end(kQuestions);
}

// Reads them as ParseCommandLine will, which knows one exit code for all that it does not like. Values of abseil's own
// flags are left to it.
void CheckFlags(const std::vector<std::string>& arguments, std::string_view sources) {
  for (size_t i = 1; i < arguments.size() && arguments[i] != "--"; ++i) {
    std::string_view text = arguments[i];
    if (!text.starts_with('-') || text == "-") continue;
    text.remove_prefix(text.starts_with("--") ? 2 : 1);
    const size_t name_end = text.find('=');
    const std::string_view name = text.substr(0, name_end);
    if (IsQuestion(name)) continue;
    absl::CommandLineFlag* flag = FindFlag(name);
    if (flag == nullptr) Refuse(arguments[0], "there is no flag " + WithHyphens(name));
    const bool has_value = name_end != std::string_view::npos;
    if (!has_value && flag->IsOfType<bool>()) continue;
    if (!has_value && i + 1 == arguments.size()) Refuse(arguments[0], WithHyphens(name) + " needs a value");
    const std::string_view value = has_value ? text.substr(name_end + 1) : arguments[++i];
    std::string error;
    if (flag->Filename().find(sources) != std::string::npos && !flag->ParseFrom(AbslView(value), &error))
      Refuse(arguments[0], WithHyphens(name) + " cannot have that value" + (error.empty() ? "" : ": " + error));
  }
}

void SetUsage(std::string_view usage, const std::string& sources) {
  absl::SetProgramUsageMessage(AbslView(usage));
  absl::FlagsUsageConfig config;
  config.contains_help_flags = [sources](absl::string_view file) {
    return View(file).find(sources) != std::string_view::npos;
  };
  config.contains_helpshort_flags = config.contains_help_flags;
  // Where it was built is nobody's business.
  config.normalize_filename = [sources](absl::string_view file) {
    const size_t begin = View(file).find(sources);
    return std::string(View(file).substr(begin == std::string_view::npos ? 0 : begin));
  };
  absl::SetFlagsUsageConfig(config);
}

}  // namespace

std::vector<std::string> ParseFlags(int argc, char** argv, std::string_view usage, std::string sources) {
  SetUsage(usage, sources);
  std::vector<std::string> arguments = WithUnderscores(argc, argv);
  CheckFlags(arguments, sources);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  const std::vector<char*> words = absl::ParseCommandLine(argc, pointers.data());
  return {words.begin() + 1, words.end()};
}

}  // namespace keyferry

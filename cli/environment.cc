#include "cli/environment.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/error.h"

namespace keyferry {
namespace {

constexpr std::string_view kCleanNames[] = {"PATH", "HOME", "LANG", "TERM", "TZ", "USER"};
// They change how programs start, not what they do.
constexpr std::string_view kLoaderNames[] = {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT",      "GCONV_PATH", "BASH_ENV",
                                             "ENV",        "NODE_OPTIONS",    "PYTHONSTARTUP", "PYTHONHOME", "PERL5OPT",
                                             "RUBYOPT",    "GLIBC_TUNABLES"};
// The kernel's: 32 pages, and three quarters of 8 MiB.
constexpr size_t kMaxStringBytes = 128 * 1024;
constexpr size_t kMaxTotalBytes = 6 * 1024 * 1024;
// The path of the program, the auxiliary vector, and what else the kernel puts beside them.
constexpr size_t kReserveBytes = 8 * 1024;

template <typename Names>
bool Contains(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool IsVariableName(std::string_view name) {
  const auto is_tail = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  return !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), is_tail);
}

bool IsPassedOn(std::string_view name, const EnvironmentOptions& options) {
  if (options.clean) return Contains(kCleanNames, name);
  return !absl::StartsWith(absl::string_view(name.data(), name.size()), "KEYFERRY_");
}

absl::Status Refuse(std::string_view reason, const std::string& message, std::vector<std::string> names) {
  return MakeError(absl::StatusCode::kFailedPrecondition, message,
                   {.reason = std::string(reason), .blockers = std::move(names)});
}

}  // namespace

absl::StatusOr<ProgramEnvironment> BuildEnvironment(std::span<const EnvironmentValue> values,
                                                    std::span<const std::string> caller,
                                                    const EnvironmentOptions& options) {
  std::vector<std::string> invalid, with_nul;
  std::map<std::string_view, std::string_view> variables;
  ProgramEnvironment result;
  for (const std::string& entry : caller) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string_view name(entry.data(), equals);
    if (IsPassedOn(name, options)) variables[name] = std::string_view(entry).substr(equals + 1);
  }
  for (const auto& [name, value] : values) {
    if (!IsVariableName(name)) {
      invalid.emplace_back(name);
    } else if (value.find('\0') != std::string_view::npos) {
      with_nul.emplace_back(name);
    } else {
      variables[name] = value;
      if (Contains(kLoaderNames, name))
        result.warnings.push_back(
            absl::StrCat("the deployment sets ", std::string(name), ", which changes how programs start"));
    }
  }
  if (!with_nul.empty()) {
    return Refuse("INVALID_ENVIRONMENT_VALUE", "a value with a NUL byte cannot be in an environment",
                  std::move(with_nul));
  }
  if (!invalid.empty() && !options.skip_invalid_names) {
    const std::string message = absl::StrCat("no environment variable can be named ", absl::StrJoin(invalid, ", "),
                                             ": a name is letters, digits and _, and begins with no digit. Set the "
                                             "values under other keys and deploy again, or leave"
                                             " them out with --skip-invalid-names");
    return Refuse("INVALID_ENVIRONMENT_NAME", message, std::move(invalid));
  }
  if (!invalid.empty())
    result.warnings.push_back(
        absl::StrCat("left out, for no variable can be so named: ", absl::StrJoin(invalid, ", ")));
  for (const auto& [name, value] : variables) {
    std::string& entry = result.entries.emplace_back();
    entry.reserve(name.size() + 1 + value.size());
    entry.append(name).append("=").append(value);
  }
  return result;
}

ExecLimits CurrentExecLimits() {
  const long total = sysconf(_SC_ARG_MAX);
  return {.total_bytes = total > 0 ? std::min(static_cast<size_t>(total), kMaxTotalBytes) : kMaxStringBytes,
          .string_bytes = kMaxStringBytes};
}

absl::Status CheckExecLimits(std::span<const std::string> entries, std::span<const std::string> program,
                             const ExecLimits& limits) {
  size_t total = kReserveBytes;
  std::vector<std::string> too_long;
  for (const std::string& entry : entries) {
    total += entry.size() + 1 + sizeof(char*);
    if (entry.size() + 1 > limits.string_bytes) {
      too_long.push_back(absl::StrCat(entry.substr(0, entry.find('=')), " (", entry.size() + 1, " bytes)"));
    }
  }
  for (const std::string& argument : program) total += argument.size() + 1 + sizeof(char*);
  if (!too_long.empty()) {
    return Refuse("ENVIRONMENT_TOO_LARGE",
                  absl::StrCat("a variable with its name is at most ", limits.string_bytes,
                               " bytes: ", absl::StrJoin(too_long, ", ")),
                  too_long);
  }
  if (total > limits.total_bytes) {
    return Refuse(
        "ENVIRONMENT_TOO_LARGE",
        absl::StrCat("environment and arguments take ", total, " bytes and the system grants ", limits.total_bytes,
                     ". Use a smaller secret set or --clean-environment, or raise `ulimit -s`"),
        {});
  }
  return absl::OkStatus();
}

}  // namespace keyferry

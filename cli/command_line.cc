#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/command_tree.h"
#include "cli/usage.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

const std::map<std::string, OutputFormat>& Formats() {
  static const auto& formats = *new std::map<std::string, OutputFormat>{
      {"table", OutputFormat::kTable}, {"json", OutputFormat::kJson}, {"yaml", OutputFormat::kYaml}};
  return formats;
}

OptionForm Classify(const CLI::Option* option, bool attached) {
  if (option == nullptr) return OptionForm::kUnknown;
  return option->get_items_expected_max() == 0 || attached ? OptionForm::kComplete : OptionForm::kTakesNext;
}

const CLI::Option* FindOption(const CLI::App* app, const std::string& name) {
  for (; app != nullptr; app = app->get_parent()) {
    if (const CLI::Option* option = app->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

OptionForm LookUp(const CLI::App* app, std::string_view argument) {
  if (argument.substr(0, 2) == "--") {
    const size_t equals = argument.find('=');
    return Classify(FindOption(app, std::string(argument.substr(0, equals))), equals != std::string_view::npos);
  }
  // -sr REGION: flags, then perhaps one option whose value is the rest or the next argument.
  for (size_t at = 1; at < argument.size(); ++at) {
    const OptionForm form = Classify(FindOption(app, std::string("-") + argument[at]), at + 1 < argument.size());
    const CLI::Option* option = FindOption(app, std::string("-") + argument[at]);
    if (form != OptionForm::kComplete || option->get_items_expected_max() != 0) return form;
  }
  return OptionForm::kComplete;
}

struct Leaf {
  const CLI::App* app;
  // Of the first argument after its words.
  size_t next;
};

// The command that the words name, as far as they name one.
Leaf FindLeaf(const CLI::App& root, std::span<const std::string_view> arguments) {
  Leaf leaf{&root, 0};
  while (leaf.next < arguments.size() && !leaf.app->get_subcommands([](const CLI::App*) { return true; }).empty()) {
    const std::string_view argument = arguments[leaf.next++];
    if (argument.size() > 1 && argument[0] == '-') {
      if (LookUp(leaf.app, argument) == OptionForm::kTakesNext) ++leaf.next;
      continue;
    }
    const auto children =
        leaf.app->get_subcommands([&](const CLI::App* child) { return child->get_name() == argument; });
    if (children.empty()) break;
    leaf.app = children[0];
  }
  leaf.next = std::min(leaf.next, arguments.size());
  return leaf;
}

// Secrets, and the words of a command to run, never reach CLI11, which splits `[a,b]`, names what it refuses and keeps
// copies.
class Intake {
 public:
  Intake(const CLI::App& root, std::span<const std::string_view> arguments)
      : leaf_(FindLeaf(root, arguments)), all_(arguments) {}

  // What is left for CLI11.
  absl::StatusOr<std::vector<std::string>> Run(CommandLine& line) {
    const auto rest = all_.subspan(leaf_.next);
    std::vector<std::string> left(all_.begin(), all_.begin() + static_cast<ptrdiff_t>(leaf_.next));
    const std::string path = PathOf(leaf_.app);
    if (path == "secrets set") {
      RETURN_IF_ERROR(TakePairs(rest, line, left));
    } else if (path == "secrets image-pull-secret") {
      RETURN_IF_ERROR(TakeCredentials(rest, line, left));
    } else if (path == "run") {
      TakeProgram(rest, line, left);
    } else {
      left.insert(left.end(), rest.begin(), rest.end());
    }
    for (const std::string& argument : left) {
      if (argument.substr(0, 2) == "--" && argument.find('=') + 1 == argument.size()) {
        return UsageError(absl::StrCat("option ", argument, " has an empty value"));
      }
    }
    return left;
  }

 private:
  absl::Status TakePairs(std::span<const std::string_view> rest, CommandLine& line, std::vector<std::string>& left) {
    ASSIGN_OR_RETURN(line.pairs,
                     TakeKeyValues(rest, [this](std::string_view argument) { return LookUp(leaf_.app, argument); }));
    left.insert(left.end(), line.pairs.others.begin(), line.pairs.others.end());
    for (const ArgumentTail& value : line.pairs.values)
      line.secret_arguments.push_back({leaf_.next + value.argument, value.offset});
    return absl::OkStatus();
  }

  absl::Status TakeCredentials(std::span<const std::string_view> rest, CommandLine& line,
                               std::vector<std::string>& left) {
    int positional_count = 0;
    bool options_allowed = true;
    for (size_t at = 0; at < rest.size(); ++at) {
      const bool option = options_allowed && rest[at].size() > 1 && rest[at][0] == '-';
      if (option && rest[at] == "--") {
        options_allowed = false;
      } else if (option) {
        const OptionForm form = LookUp(leaf_.app, rest[at]);
        if (form == OptionForm::kUnknown)
          return UsageError(absl::StrCat("argument ", at + 1, " after `image-pull-secret` is no option of it"));
        left.emplace_back(rest[at]);
        if (form == OptionForm::kTakesNext && at + 1 < rest.size()) left.emplace_back(rest[++at]);
      } else if (++positional_count <= 2) {
        left.emplace_back(rest[at]);
      } else if (line.credentials) {
        return UsageError("more than one argument follows the host; credentials are one: username:token");
      } else {
        line.credentials = SecretBytes::Copy(rest[at]);
        line.secret_arguments.push_back({leaf_.next + at, 0});
      }
    }
    return absl::OkStatus();
  }

  static void TakeProgram(std::span<const std::string_view> rest, CommandLine& line, std::vector<std::string>& left) {
    const auto dashes = std::find(rest.begin(), rest.end(), "--");
    left.insert(left.end(), rest.begin(), dashes);
    if (dashes != rest.end()) line.program.assign(dashes + 1, rest.end());
  }

  const Leaf leaf_;
  const std::span<const std::string_view> all_;
};

absl::Status Finish(const RawArguments& raw, CommandLine& line) {
  line.format = Formats().at(raw.format);
  if (!raw.wait.empty()) {
    ASSIGN_OR_RETURN(line.wait, ParseWait(raw.wait));
  }
  if (line.dry_run && line.wait) return UsageError("--dry-run writes nothing to wait for: leave out --wait");
  if (line.command == "run" && line.program.empty()) {
    return UsageError("say what to run after `--`: keyferry run --agent NAME -- COMMAND [ARGUMENT...]");
  }
  return absl::OkStatus();
}

// A half command is told what could follow.
absl::Status Explain(const CLI::ParseError& error, const CLI::App& root, std::span<const std::string_view> arguments) {
  const Leaf leaf = FindLeaf(root, arguments);
  const auto children = leaf.app->get_subcommands([](const CLI::App*) { return true; });
  if (children.empty()) return UsageError(error.what());
  const auto append_name = [](std::string* out, const CLI::App* child) { out->append(child->get_name()); };
  return UsageError(absl::StrCat("no such command; after `keyferry", leaf.app == &root ? "" : " ", PathOf(leaf.app),
                                 "` comes one of ", absl::StrJoin(children, ", ", append_name)));
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(std::span<const std::string_view> arguments) {
  CommandLine line;
  RawArguments raw;
  CLI::App app("Named sets of secrets, carried to one region and proved there before anything deploys");
  BuildCommandTree(app, line, raw);
  ASSIGN_OR_RETURN(std::vector<std::string> left, Intake(app, arguments).Run(line));
  std::reverse(left.begin(), left.end());
  try {
    app.parse(std::move(left));
  } catch (const CLI::CallForHelp&) {
    return CommandLine{.text = app.help()};
  } catch (const CLI::CallForVersion& version) {
    return CommandLine{.text = std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    return Explain(error, app, arguments);
  }
  const CLI::App* leaf = &app;
  while (!leaf->get_subcommands().empty()) leaf = leaf->get_subcommands()[0];
  line.command = PathOf(leaf);
  RETURN_IF_ERROR(Finish(raw, line));
  return line;
}

absl::StatusOr<absl::Duration> ParseWait(const std::string& text) {
  absl::Duration wait;
  int64_t seconds = 0;
  if (absl::SimpleAtoi(text, &seconds)) {
    wait = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &wait)) {
    return UsageError(absl::StrCat("'", text, "' is no duration; write 30s, 2m or 1m30s"));
  }
  if (wait <= absl::ZeroDuration() || wait > absl::Hours(24))
    return UsageError("a wait must be longer than 0 and at most 24h");
  return wait;
}

}  // namespace keyferry

#include "cli/keyferry.h"

#include "cli/command_line.h"
#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/error_report.h"
#include "cli/settings.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

EnvironmentLookup LookupIn(const std::vector<std::string>& environment) {
  return [&environment](const std::string& name) -> std::optional<std::string> {
    for (const std::string& entry : environment) {
      if (entry.size() > name.size() && entry[name.size()] == '=' && entry.compare(0, name.size(), name) == 0)
        return entry.substr(name.size() + 1);
    }
    return std::nullopt;
  };
}

absl::Status Execute(const Invocation& invocation) {
  ASSIGN_OR_RETURN(const CommandLine line, ParseCommandLine(invocation.arguments));
  invocation.overwrite_arguments(line.secret_arguments);
  Console& console = invocation.console;
  if (line.command.empty()) {
    console.output << line.text << std::flush;
    return absl::OkStatus();
  }
  if (line.command == "completion") {
    console.output << CompletionScript(line.shell, CommandTree()) << std::flush;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const Settings settings, LoadSettings(line.settings, LookupIn(invocation.environment)));
  Session session(line, settings, console);
  if (line.command == "run") return RunProgram(session, invocation.environment, invocation.before_exec);
  return AllCommands().at(line.command)(session);
}

}  // namespace

CommandTable AllCommands() {
  CommandTable table;
  AddSecretWriteCommands(table);
  AddSecretCommands(table);
  AddDeployCommands(table);
  AddRegionCommands(table);
  AddOrganizationCommands(table);
  AddAdminBackupCommands(table);
  AddAdminKeyCommands(table);
  AddAdminAuditCommands(table);
  AddAdminIdentityCommands(table);
  AddAdminStatusCommands(table);
  return table;
}

int RunKeyferry(const Invocation& invocation) {
  const absl::Status status = Execute(invocation);
  invocation.console.error << ErrorReport(status) << std::flush;
  return ExitCodeFor(status);
}

}  // namespace keyferry

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/error_report.h"
#include "cli/usage.h"
#include "keyferry/v1/environments.pb.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

// On its own client: the socket knows the caller by its user, and gets no API key.
absl::StatusOr<v1::Environment> FetchEnvironment(const Session& session) {
  const Settings& settings = session.settings();
  if (settings.agent_socket.empty())
    return UsageError("no socket: set KEYFERRY_AGENT_SOCKET to the provisioner's, or give --agent-socket");
  if (settings.organization.empty()) return UsageError("no organization: set KEYFERRY_ORG, or give --organization");
  const std::string endpoint =
      absl::StartsWith(settings.agent_socket, "unix:") ? settings.agent_socket : "unix:" + settings.agent_socket;
  ASSIGN_OR_RETURN(const auto client, ApiClient::Create({.endpoint = endpoint}));
  v1::GetEnvironmentRequest request;
  request.set_organization(settings.organization);
  request.set_agent(session.line().name);
  v1::Environment environment;
  RETURN_IF_ERROR(client->Call("Environments/GetEnvironment", request, environment));
  return environment;
}

absl::StatusOr<ProgramEnvironment> PrepareEnvironment(const Session& session,
                                                      std::span<const std::string> caller_environment) {
  ASSIGN_OR_RETURN(const v1::Environment environment, FetchEnvironment(session));
  std::vector<EnvironmentValue> values;
  for (const v1::EnvironmentVariable& variable : environment.variables())
    values.push_back({variable.name(), variable.value()});
  return BuildEnvironment(
      values, caller_environment,
      {.clean = session.line().clean_environment, .skip_invalid_names = session.line().skip_invalid_names});
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

absl::Status ExecFailure(const std::string& program, int error) {
  const std::string message = absl::StrCat("cannot run ", program, ": ", std::strerror(error));
  const char* reason = error == ENOENT ? kProgramNotFoundReason : kProgramNotExecutableReason;
  return MakeError(absl::StatusCode::kFailedPrecondition, message, {.reason = reason});
}

}  // namespace

absl::Status RunProgram(Session& session, std::span<const std::string> caller_environment,
                        const std::function<void()>& before_exec) {
  std::vector<std::string> program = session.line().program;
  ASSIGN_OR_RETURN(ProgramEnvironment environment, PrepareEnvironment(session, caller_environment));
  for (const std::string& warning : environment.warnings) session.Note("warning: " + warning);
  before_exec();
  RETURN_IF_ERROR(CheckExecLimits(environment.entries, program, CurrentExecLimits()));
  // Looked up in the caller's PATH; the variables go to the program alone.
  execvpe(program[0].c_str(), Pointers(program).data(), Pointers(environment.entries).data());
  return ExecFailure(program[0], errno);
}

}  // namespace keyferry

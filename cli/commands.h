// The commands, by noun. Each reads its arguments from the session, calls the API, prints, and answers OK or why not.
#ifndef KEYFERRY_CLI_COMMANDS_H_
#define KEYFERRY_CLI_COMMANDS_H_

#include <functional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "cli/session.h"
#include "keyferry/v1/secret_sets.pb.h"

namespace keyferry {

// secrets set, secrets image-pull-secret
void AddSecretWriteCommands(CommandTable& table);
// the other commands of `secrets`
void AddSecretCommands(CommandTable& table);
// deploy, agents
void AddDeployCommands(CommandTable& table);
// regions
void AddRegionCommands(CommandTable& table);
// orgs, keys, whoami
void AddOrganizationCommands(CommandTable& table);
// admin keys
void AddAdminKeyCommands(CommandTable& table);
// admin backup, backups, restore
void AddAdminBackupCommands(CommandTable& table);
// admin audit
void AddAdminAuditCommands(CommandTable& table);
// admin identities
void AddAdminIdentityCommands(CommandTable& table);
// admin status
void AddAdminStatusCommands(CommandTable& table);

// What a write of a set prints. With --wait it waits first: then the set is ready, or this is what WaitForSecretSet
// says.
absl::Status ReportWrite(Session& session, const v1::SetSecretsResponse& response);

// `keyferry run`: becomes the command and does not return, unless that fails. `before_exec` undoes what we did to the
// process.
absl::Status RunProgram(Session& session, std::span<const std::string> caller_environment,
                        const std::function<void()>& before_exec);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_COMMANDS_H_

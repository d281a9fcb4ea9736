// What the person typed, understood: one command and its arguments. Parsing is pure; nothing is read or called.
#ifndef KEYFERRY_CLI_COMMAND_LINE_H_
#define KEYFERRY_CLI_COMMAND_LINE_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/admin_flags.h"
#include "cli/key_value_arguments.h"
#include "cli/organization_flags.h"
#include "cli/output.h"
#include "cli/settings.h"

namespace keyferry {

// A field is filled by the commands that have such an argument, and otherwise empty.
struct CommandLine {
  // Its words: `secrets set`. Empty when only `text` is wanted.
  std::string command;
  // Help or version: to be printed, then exit 0.
  std::string text;

  SettingFlags settings;
  OutputFormat format = OutputFormat::kTable;
  bool skip_confirm = false;

  // Set, agent, region, organization or key: the noun's own name.
  std::string name;
  std::string region;
  std::string etag;
  std::optional<absl::Duration> wait;
  bool dry_run = false;
  bool force = false;

  // secrets
  KeyValueArguments pairs;
  std::string dotenv_file;
  // KEY=PATH each.
  std::vector<std::string> from_files;
  std::string from_stdin_key;
  bool replace_all = false;
  std::string key;
  int64_t generation = 0;
  std::string host;
  std::optional<SecretBytes> credentials;

  // deploy
  std::string image;
  std::string secret_set;
  std::string image_pull_secret;
  std::vector<std::string> required_keys;
  std::string deploy_file;

  // run
  std::vector<std::string> program;
  bool clean_environment = false;
  bool skip_invalid_names = false;

  // regions, orgs, keys, completion
  std::string display_name;
  std::string sealing_key;
  bool blind = false;
  bool allow_mass_delete = false;
  bool retry_failed = false;
  std::string provisioner;
  bool replace_sealing_key = false;
  std::string default_region;
  std::string role;
  std::string shell;

  AdminFlags admin;
  OrganizationFlags organization;

  // Secret bytes among the arguments, to be overwritten in argv.
  std::vector<ArgumentTail> secret_arguments;
};

// `arguments`: argv without the program's name. USAGE errors; none shows an argument that may hold a secret.
absl::StatusOr<CommandLine> ParseCommandLine(std::span<const std::string_view> arguments);

// `30s`, `2m`, `1m30s`, or seconds without a unit. USAGE error unless more than 0 and at most 24 h.
absl::StatusOr<absl::Duration> ParseWait(const std::string& text);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_COMMAND_LINE_H_

// Where the CLI calls and as whom: flags, then KEYFERRY_* of the environment, then the configuration file.
#ifndef KEYFERRY_CLI_SETTINGS_H_
#define KEYFERRY_CLI_SETTINGS_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

// Empty where not given. What flags can say; an API key comes from a file, for arguments show in `ps`.
struct SettingFlags {
  std::string endpoint;
  std::string organization;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string api_key_file;
  std::string agent_socket;
  std::string config_file;
};

struct Settings {
  // `host:port` or `unix:/path`; empty when nothing says.
  std::string endpoint;
  // Empty means the credential's own.
  std::string organization;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  SecretBytes api_key;
  // Path of the provisioner's socket for agent hosts.
  std::string agent_socket;
};

// A variable of the environment; nullopt when it is not set. An empty one counts as not set.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

// USAGE errors: a configuration file that cannot be read, parsed or understood, or that holds an API key and is open to
// others; an API key file open to others; a key with spaces in it; a certificate without its key. The default file may
// be absent: $XDG_CONFIG_HOME/keyferry/config.toml, or ~/.config/keyferry/config.toml.
absl::StatusOr<Settings> LoadSettings(const SettingFlags& flags, const EnvironmentLookup& environment);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_SETTINGS_H_

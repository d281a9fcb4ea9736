#include "cli/settings.h"

#include <toml++/toml.h>

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/file_reader.h"
#include "cli/usage.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr size_t kConfigLimitBytes = 64 * 1024;
constexpr size_t kApiKeyLimitBytes = 1024;

using ConfigValues = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view kConfigKeys[] = {"endpoint", "organization", "ca_file",     "cert_file",
                                            "key_file", "api_key",      "agent_socket"};

absl::Status ConfigError(const std::string& path, const toml::source_region& where, std::string_view message) {
  return UsageError(absl::StrCat(path, ":", where.begin.line, ":", where.begin.column, ": ", std::string(message)));
}

absl::StatusOr<ConfigValues> ParseConfig(const std::string& path, std::string_view text) try {
  ConfigValues values;
  for (const auto& [key, node] : toml::parse(text, path)) {
    if (std::find(std::begin(kConfigKeys), std::end(kConfigKeys), key.str()) == std::end(kConfigKeys)) {
      return ConfigError(path, key.source(), "this key is not known; docs/cli.md lists those that are");
    }
    if (!node.is_string())
      return ConfigError(path, node.source(), absl::StrCat(std::string(key.str()), " must be a string"));
    values[std::string(key.str())] = node.as_string()->get();
  }
  return values;
} catch (const toml::parse_error& error) {
  // Not the parser's own words: they may quote a key.
  return ConfigError(path, error.source(), "this is not TOML");
}

// Empty when the environment names no home.
std::string DefaultConfigPath(const EnvironmentLookup& environment) {
  if (const auto directory = environment("XDG_CONFIG_HOME"); directory && !directory->empty()) {
    return *directory + "/keyferry/config.toml";
  }
  const auto home = environment("HOME");
  return home && !home->empty() ? *home + "/.config/keyferry/config.toml" : "";
}

absl::StatusOr<ConfigValues> ReadConfig(const SettingFlags& flags, const EnvironmentLookup& environment) {
  std::string path = flags.config_file;
  if (path.empty()) path = environment("KEYFERRY_CONFIG").value_or("");
  std::optional<SecretBytes> text;
  if (!path.empty()) {
    ASSIGN_OR_RETURN(text, ReadSecretFile(path, kConfigLimitBytes));
  } else if (path = DefaultConfigPath(environment); !path.empty()) {
    ASSIGN_OR_RETURN(text, ReadSecretFileIfPresent(path, kConfigLimitBytes));
  }
  if (!text) return ConfigValues();
  ASSIGN_OR_RETURN(ConfigValues values, ParseConfig(path, text->Access()));
  if (values.contains("api_key") && IsOpenToOthers(path)) {
    return UsageError(absl::StrCat(path, " holds an API key and is open to others; run `chmod 600 ", path, "`"));
  }
  return values;
}

absl::StatusOr<SecretBytes> CheckApiKey(SecretBytes key, std::string_view source) {
  const std::string_view bytes = key.Access();
  const auto graphic = [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); };
  if (std::all_of(bytes.begin(), bytes.end(), graphic)) return key;
  return UsageError(
      absl::StrCat("the API key of ", std::string(source), " holds a space or another character that no key has"));
}

absl::StatusOr<SecretBytes> FindApiKey(const SettingFlags& flags, const EnvironmentLookup& environment,
                                       ConfigValues& config) {
  if (!flags.api_key_file.empty()) {
    ASSIGN_OR_RETURN(const SecretBytes text,
                     ReadSecretFile(flags.api_key_file, kApiKeyLimitBytes, FilePrivacy::kOwnerOnly));
    const absl::string_view key = absl::StripAsciiWhitespace(absl::string_view(text.Access().data(), text.size()));
    return CheckApiKey(SecretBytes::Copy({key.data(), key.size()}), flags.api_key_file);
  }
  if (auto key = environment("KEYFERRY_API_KEY"); key && !key->empty()) {
    return CheckApiKey(SecretBytes::Take(std::move(*key)), "KEYFERRY_API_KEY");
  }
  return CheckApiKey(SecretBytes::Take(std::move(config["api_key"])), "the configuration file");
}

}  // namespace

absl::StatusOr<Settings> LoadSettings(const SettingFlags& flags, const EnvironmentLookup& environment) {
  ASSIGN_OR_RETURN(ConfigValues config, ReadConfig(flags, environment));
  const auto choose = [&](const std::string& flag, const char* variable, const char* key) {
    if (!flag.empty()) return flag;
    const auto value = environment(variable);
    return value && !value->empty() ? *value : config[key];
  };
  Settings settings{.endpoint = choose(flags.endpoint, "KEYFERRY_ENDPOINT", "endpoint"),
                    .organization = choose(flags.organization, "KEYFERRY_ORG", "organization"),
                    .ca_file = choose(flags.ca_file, "KEYFERRY_CA_FILE", "ca_file"),
                    .certificate_file = choose(flags.certificate_file, "KEYFERRY_CERT_FILE", "cert_file"),
                    .key_file = choose(flags.key_file, "KEYFERRY_KEY_FILE", "key_file"),
                    .agent_socket = choose(flags.agent_socket, "KEYFERRY_AGENT_SOCKET", "agent_socket")};
  if (settings.certificate_file.empty() != settings.key_file.empty()) {
    return UsageError(
        "a client certificate and its key go together: give both --cert-file and --key-file (KEYFERRY_CERT_FILE,"
        " KEYFERRY_KEY_FILE), or neither");
  }
  ASSIGN_OR_RETURN(settings.api_key, FindApiKey(flags, environment, config));
  return settings;
}

}  // namespace keyferry

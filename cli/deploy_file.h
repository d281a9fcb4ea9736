// pcc-deploy.toml: what a deployment's command line leaves out. Keys that are not ours are ignored.
#ifndef KEYFERRY_CLI_DEPLOY_FILE_H_
#define KEYFERRY_CLI_DEPLOY_FILE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace keyferry {

// Empty where the file does not say.
struct DeployFile {
  std::string agent_name;
  std::string image;
  std::string image_credentials;
  std::string secret_set;
  std::string region;
  std::vector<std::string> required_keys;
};

// USAGE errors, with path and line: no TOML, or a key of ours that has another type.
absl::StatusOr<DeployFile> ParseDeployFile(std::string_view path, std::string_view text);

}  // namespace keyferry

#endif  // KEYFERRY_CLI_DEPLOY_FILE_H_

#include "cli/deploy_file.h"

#include <toml++/toml.h>

#include "absl/strings/str_cat.h"
#include "cli/usage.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

absl::Status Error(std::string_view path, const toml::source_region& where, std::string_view message) {
  return UsageError(
      absl::StrCat(std::string(path), ":", where.begin.line, ":", where.begin.column, ": ", std::string(message)));
}

absl::Status ReadString(std::string_view path, const toml::table& document, const char* key, std::string& value) {
  const toml::node* node = document.get(key);
  if (node == nullptr) return absl::OkStatus();
  const auto* text = node->as_string();
  if (text == nullptr) return Error(path, node->source(), absl::StrCat(key, " must be a string"));
  value = text->get();
  return absl::OkStatus();
}

absl::Status ReadStrings(std::string_view path, const toml::table& document, const char* key,
                         std::vector<std::string>& values) {
  const toml::node* node = document.get(key);
  if (node == nullptr) return absl::OkStatus();
  if (!node->is_array()) return Error(path, node->source(), absl::StrCat(key, " must be an array of strings"));
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_string()) return Error(path, element.source(), absl::StrCat(key, " must hold strings alone"));
    values.push_back(element.as_string()->get());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DeployFile> ParseDeployFile(std::string_view path, std::string_view text) try {
  const toml::table document = toml::parse(text, path);
  DeployFile file;
  RETURN_IF_ERROR(ReadString(path, document, "agent_name", file.agent_name));
  RETURN_IF_ERROR(ReadString(path, document, "image", file.image));
  RETURN_IF_ERROR(ReadString(path, document, "image_credentials", file.image_credentials));
  RETURN_IF_ERROR(ReadString(path, document, "secret_set", file.secret_set));
  RETURN_IF_ERROR(ReadString(path, document, "region", file.region));
  RETURN_IF_ERROR(ReadStrings(path, document, "required_keys", file.required_keys));
  return file;
} catch (const toml::parse_error& error) {
  return Error(path, error.source(), error.description());
}

}  // namespace keyferry

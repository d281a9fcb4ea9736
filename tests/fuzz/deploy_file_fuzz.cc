// pcc-deploy.toml: read, or refused as the user's mistake with the file's name.
#include <string>

#include "cli/deploy_file.h"
#include "libs/common/error.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = keyferry::ParseDeployFile("pcc-deploy.toml", keyferry::TextOf(data, size));
  if (file.ok()) return 0;
  keyferry::Require(keyferry::ReasonOf(file.status()) == "USAGE", "it is the user's mistake");
  keyferry::Require(file.status().message().find("pcc-deploy.toml") != absl::string_view::npos, "the file is named");
  return 0;
}

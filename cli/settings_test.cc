#include "cli/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>

#include "cli/deploy_file.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class SettingsTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = directory_.File(name);
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  absl::StatusOr<Settings> Load(const SettingFlags& flags = {}) {
    return LoadSettings(flags, [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    });
  }
  std::string ErrorOf(const SettingFlags& flags = {}) {
    const auto settings = Load(flags);
    EXPECT_THAT(settings, FailsWith(absl::StatusCode::kInvalidArgument, "USAGE"));
    return std::string(settings.status().message());
  }

  TempDir directory_;
  std::map<std::string, std::string> environment_;
};

TEST_F(SettingsTest, NothingSetIsNoError) {
  const auto settings = Load();
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->endpoint, "");
  EXPECT_TRUE(settings->api_key.empty());
}

TEST_F(SettingsTest, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  const std::string config = Write("config.toml", "endpoint = 'file:1'\norganization = 'file'\nca_file = '/file'\n");
  environment_ = {{"KEYFERRY_ENDPOINT", "env:1"}, {"KEYFERRY_ORG", "env"}};
  const auto settings = Load({.endpoint = "flag:1", .config_file = config});
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->endpoint, "flag:1");
  EXPECT_EQ(settings->organization, "env");
  EXPECT_EQ(settings->ca_file, "/file");
}

TEST_F(SettingsTest, EveryVariableIsRead) {
  environment_ = {{"KEYFERRY_ENDPOINT", "e"},    {"KEYFERRY_API_KEY", "k"},   {"KEYFERRY_ORG", "o"},
                  {"KEYFERRY_CA_FILE", "ca"},    {"KEYFERRY_CERT_FILE", "c"}, {"KEYFERRY_KEY_FILE", "kf"},
                  {"KEYFERRY_AGENT_SOCKET", "s"}};
  const auto settings = Load();
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(
      settings->endpoint + settings->organization + settings->ca_file + settings->certificate_file + settings->key_file,
      "eocackf");
  EXPECT_EQ(settings->agent_socket, "s");
  EXPECT_EQ(settings->api_key.Access(), "k");
}

TEST_F(SettingsTest, TheDefaultFileIsFoundBelowHome) {
  std::filesystem::create_directories(directory_.File(".config/keyferry"));
  Write(".config/keyferry/config.toml", "endpoint = 'home:1'\napi_key = 'kf_1'\n");
  environment_ = {{"HOME", directory_.path()}};
  const auto settings = Load();
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->endpoint, "home:1");
  EXPECT_EQ(settings->api_key.Access(), "kf_1");
}

TEST_F(SettingsTest, AFileWithAnApiKeyMustBePrivate) {
  for (const mode_t mode : {0640, 0604, 0660, 0644}) {
    const std::string config = Write("config.toml", "api_key = 'hunter2'\n", mode);
    EXPECT_THAT(ErrorOf({.config_file = config}), AllOf(HasSubstr("chmod 600"), Not(HasSubstr("hunter2"))));
  }
}

TEST_F(SettingsTest, AFileWithoutAnApiKeyMayBePublic) {
  EXPECT_THAT(Load({.config_file = Write("config.toml", "endpoint = 'a:1'\n", 0644)}), IsOk());
}

TEST_F(SettingsTest, ABrokenFileIsRefusedWithoutQuotingIt) {
  EXPECT_THAT(ErrorOf({.config_file = Write("config.toml", "\napi_key = hunter2\n")}),
              AllOf(HasSubstr("config.toml:2:"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(ErrorOf({.config_file = Write("config.toml", "endpoint = 1\n")}), HasSubstr("endpoint must be a string"));
  EXPECT_THAT(ErrorOf({.config_file = Write("config.toml", "endpont = 'x'\n")}), HasSubstr("config.toml:1:1"));
}

TEST_F(SettingsTest, AFileThatIsNamedMustExist) {
  EXPECT_THAT(ErrorOf({.config_file = directory_.File("none.toml")}), HasSubstr("none.toml"));
  environment_ = {{"KEYFERRY_CONFIG", directory_.File("other.toml")}};
  EXPECT_THAT(ErrorOf(), HasSubstr("other.toml"));
}

TEST_F(SettingsTest, TheKeyFileIsTrimmedAndMustBePrivate) {
  const auto settings = Load({.api_key_file = Write("key", "kf_1\n")});
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->api_key.Access(), "kf_1");
  EXPECT_THAT(ErrorOf({.api_key_file = Write("key", "hunter2", 0644)}),
              AllOf(HasSubstr("open to others"), Not(HasSubstr("hunter2"))));
}

TEST_F(SettingsTest, AKeyWithASpaceIsRefusedWithoutShowingIt) {
  environment_ = {{"KEYFERRY_API_KEY", "hunter 2"}};
  EXPECT_THAT(ErrorOf(), AllOf(HasSubstr("KEYFERRY_API_KEY"), Not(HasSubstr("hunter"))));
}

TEST_F(SettingsTest, ACertificateNeedsItsKey) {
  EXPECT_THAT(ErrorOf({.certificate_file = "c"}), HasSubstr("--key-file"));
  EXPECT_THAT(ErrorOf({.key_file = "k"}), HasSubstr("--cert-file"));
}

TEST(DeployFileTest, ReadsWhatIsOursAndIgnoresTheRest) {
  const auto file =
      ParseDeployFile("pcc-deploy.toml",
                      "agent_name = \"my-agent\"\nimage = \"r/my-agent:0.1\"\nimage_credentials = \"pull\"\nsecret_set "
                      "= \"my-secrets\"\n"
                      "region = 'eu'\nrequired_keys = ['A', 'B']\nenable_krisp = true\n[scaling]\nmin_agents = 1\n");
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT((std::vector{file->agent_name, file->image, file->image_credentials, file->secret_set, file->region}),
              ElementsAre("my-agent", "r/my-agent:0.1", "pull", "my-secrets", "eu"));
  EXPECT_THAT(file->required_keys, ElementsAre("A", "B"));
}

TEST(DeployFileTest, AnEmptyFileSaysNothing) {
  const auto file = ParseDeployFile("f", "");
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->agent_name, "");
}

TEST(DeployFileTest, WrongTypesAreToldWithTheirLine) {
  EXPECT_THAT(std::string(ParseDeployFile("f", "\nagent_name = 1").status().message()),
              StartsWith("f:2:14: agent_name must be a string"));
  EXPECT_THAT(std::string(ParseDeployFile("f", "required_keys = 'A'").status().message()),
              StartsWith("f:1:17: required_keys must be an array"));
  EXPECT_THAT(std::string(ParseDeployFile("f", "required_keys = ['A', 2]").status().message()),
              StartsWith("f:1:23: required_keys must hold strings"));
}

TEST(DeployFileTest, WhatIsNotTomlIsToldWithItsLine) {
  const auto file = ParseDeployFile("f", "agent_name = 'a'\nimage = [\n");
  EXPECT_THAT(file, FailsWith(absl::StatusCode::kInvalidArgument, "USAGE"));
  EXPECT_THAT(std::string(file.status().message()), StartsWith("f:"));
}

}  // namespace
}  // namespace keyferry

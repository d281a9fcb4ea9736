#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "cli/command_tree.h"
#include "cli/completion.h"
#include "cli/keyferry.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

absl::StatusOr<CommandLine> Parse(const std::vector<std::string_view>& arguments) {
  return ParseCommandLine(arguments);
}

CommandLine Parsed(const std::vector<std::string_view>& arguments) {
  auto line = Parse(arguments);
  EXPECT_THAT(line, IsOk());
  return line.ok() ? *std::move(line) : CommandLine();
}

std::string ErrorOf(const std::vector<std::string_view>& arguments) {
  const auto line = Parse(arguments);
  EXPECT_THAT(line, FailsWith(absl::StatusCode::kInvalidArgument, "USAGE"));
  return std::string(line.status().message());
}

TEST(CommandLineTest, SetTakesPairsAndOptionsInAnyOrder) {
  const CommandLine line = Parsed({"-o",           "json", "secrets",     "-s",   "set",       "--region=eu",
                                   "my-set",       "A",    "--wait",      "B=2",  "--wait=1m", "--replace-all",
                                   "--from-file",  "C=/c", "--from-file", "D=/d", "-f",        ".env",
                                   "--from-stdin", "E",    "--etag",      "x"});
  EXPECT_EQ(line.command, "secrets set");
  EXPECT_EQ(line.format, OutputFormat::kJson);
  EXPECT_TRUE(line.skip_confirm && line.replace_all);
  EXPECT_EQ(line.name, "my-set");
  EXPECT_EQ(line.region, "eu");
  EXPECT_EQ(line.pairs.entries.size(), 2u);
  EXPECT_EQ(line.wait, absl::Minutes(1));
  EXPECT_THAT(line.from_files, ElementsAre("C=/c", "D=/d"));
  EXPECT_EQ(line.dotenv_file + line.from_stdin_key + line.etag, ".envEx");
  EXPECT_THAT(line.secret_arguments, ElementsAre(ArgumentTail{8, 0}, ArgumentTail{9, 2}));
}

TEST(CommandLineTest, WaitAloneMeansThirtySecondsAndTakesNothing) {
  const CommandLine line = Parsed({"secrets", "set", "--wait", "my-set", "A=1"});
  EXPECT_EQ(line.name, "my-set");
  EXPECT_EQ(line.wait, absl::Seconds(30));
}

TEST(CommandLineTest, ShortOptionsMayBeJoined) {
  const CommandLine line = Parsed({"secrets", "set", "-sr", "eu", "my-set", "-ojson", "A", "1"});
  EXPECT_TRUE(line.skip_confirm);
  EXPECT_EQ(line.region, "eu");
  EXPECT_EQ(line.format, OutputFormat::kJson);
  EXPECT_EQ(line.pairs.entries.size(), 1u);
}

TEST(CommandLineTest, NamesMayBeWordsOfCommands) {
  EXPECT_EQ(Parsed({"secrets", "list", "delete"}).name, "delete");
  EXPECT_EQ(Parsed({"secrets", "set", "secrets", "set", "v"}).name, "secrets");
  EXPECT_EQ(Parsed({"agents", "show", "run"}).name, "run");
}

TEST(CommandLineTest, DurationsHaveUnitsOrAreSeconds) {
  EXPECT_THAT(ParseWait("30"), IsOkAndHolds(absl::Seconds(30)));
  EXPECT_THAT(ParseWait("1m30s"), IsOkAndHolds(absl::Seconds(90)));
  EXPECT_THAT(ParseWait("24h"), IsOkAndHolds(absl::Hours(24)));
  for (const char* text : {"", "x", "0", "-1", "-5s", "24h1s", "inf"})
    EXPECT_THAT(ParseWait(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
}

TEST(CommandLineTest, RunKeepsTheProgramsWordsAsTheyAre) {
  const CommandLine line =
      Parsed({"run", "--agent", "a", "--clean-environment", "--", "prog", "--agent", "[x,y]", "--", "-s", ""});
  EXPECT_EQ(line.name, "a");
  EXPECT_TRUE(line.clean_environment);
  EXPECT_THAT(line.program, ElementsAre("prog", "--agent", "[x,y]", "--", "-s", ""));
}

TEST(CommandLineTest, RunNeedsAProgramAfterTwoDashes) {
  EXPECT_THAT(ErrorOf({"run", "--agent", "a", "--"}), HasSubstr("--"));
  EXPECT_THAT(ErrorOf({"run", "--agent", "a"}), HasSubstr("--"));
}

TEST(CommandLineTest, CredentialsAreOneArgumentVerbatim) {
  const CommandLine line =
      Parsed({"secrets", "image-pull-secret", "--region", "us-east", "pull", "ghcr.io", "[u,v]:t=k"});
  EXPECT_EQ(line.host, "ghcr.io");
  ASSERT_TRUE(line.credentials.has_value());
  EXPECT_EQ(line.credentials->Access(), "[u,v]:t=k");
  EXPECT_THAT(line.secret_arguments, ElementsAre(ArgumentTail{6, 0}));
}

TEST(CommandLineTest, NoErrorShowsAnArgumentThatMayBeASecret) {
  EXPECT_THAT(ErrorOf({"secrets", "image-pull-secret", "pull", "ghcr.io", "u:t", "hunter2"}),
              Not(HasSubstr("hunter2")));
  EXPECT_THAT(ErrorOf({"secrets", "image-pull-secret", "pull", "ghcr.io", "-hunter2"}), Not(HasSubstr("hunter2")));
  EXPECT_THAT(ErrorOf({"secrets", "set", "my-set", "A=1", "--hunter2=x"}), Not(HasSubstr("hunter2")));
}

TEST(CommandLineTest, AHalfCommandIsToldWhatCanFollow) {
  EXPECT_THAT(ErrorOf({"secrets"}), HasSubstr("set, list, unset"));
  EXPECT_THAT(ErrorOf({"secrets", "bogus"}), HasSubstr("after `keyferry secrets`"));
  EXPECT_THAT(ErrorOf({}), HasSubstr("secrets, deploy"));
}

TEST(CommandLineTest, WhatIsMissingOrTooMuchIsRefused) {
  EXPECT_THAT(ErrorOf({"secrets", "set"}), HasSubstr("NAME"));
  EXPECT_THAT(ErrorOf({"secrets", "unset", "my-set"}), HasSubstr("KEY"));
  EXPECT_THAT(ErrorOf({"secrets", "list", "a", "b"}), HasSubstr("b"));
  EXPECT_THAT(ErrorOf({"secrets", "list", "-o", "xml"}), HasSubstr("xml"));
  EXPECT_THAT(ErrorOf({"secrets", "set", "my-set", "A=1", "--region="}), HasSubstr("empty"));
  EXPECT_THAT(ErrorOf({"secrets", "rollback", "my-set", "0"}), HasSubstr("GENERATION"));
  EXPECT_THAT(ErrorOf({"keys", "create", "k", "--role", "king"}), HasSubstr("king"));
  EXPECT_THAT(ErrorOf({"secrets", "set", "my-set", "A=1", "--dry-run", "--wait"}), HasSubstr("--wait"));
}

TEST(CommandLineTest, HelpAndVersionAreText) {
  EXPECT_THAT(Parsed({"--version"}).text, HasSubstr("keyferry 0"));
  EXPECT_THAT(Parsed({"--help"}).text, HasSubstr("secrets"));
  EXPECT_THAT(Parsed({"secrets", "set", "--help"}).text, AllOf(HasSubstr("--replace-all"), HasSubstr("verbatim")));
}

TEST(CommandTreeTest, EveryCommandHasSomebodyToDoIt) {
  const CommandTable table = AllCommands();
  std::set<std::string> leaves;
  for (const CommandNode& node : CommandTree()) {
    if (node.subcommands.empty()) leaves.insert(node.path);
  }
  std::set<std::string> known = {"run", "completion"};
  for (const auto& [path, command] : table) known.insert(path);
  EXPECT_EQ(leaves, known);
}

TEST(CommandTreeTest, TheReferenceNamesEveryCommandAndOption) {
  std::ifstream file(KEYFERRY_SOURCE_DIR "/docs/cli.md");
  const std::string reference((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (const CommandNode& node : CommandTree()) {
    EXPECT_THAT(reference, HasSubstr(node.path));
    for (const CommandNode::Option& option : node.options) EXPECT_THAT(reference, HasSubstr(option.names[0]));
  }
}

TEST(CompletionTest, ScriptsNameEveryCommandAndOption) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = CompletionScript(shell, CommandTree());
    for (const CommandNode& node : CommandTree()) {
      EXPECT_THAT(script, HasSubstr(node.path));
      for (const CommandNode::Option& option : node.options)
        EXPECT_THAT(script, HasSubstr(option.names[0].substr(2))) << shell;
    }
  }
}

std::vector<std::string> CompleteInBash(const std::string& words, int index) {
  const std::string script = CompletionScript("bash", CommandTree()) + "COMP_WORDS=(" + words +
                             "); COMP_CWORD=" + std::to_string(index) +
                             "; _keyferry; printf '%s\\n' \"${COMPREPLY[@]}\"";
  setenv("KEYFERRY_TEST_SCRIPT", script.c_str(), 1);
  FILE* const pipe = popen("bash -c 'eval \"$KEYFERRY_TEST_SCRIPT\"'", "r");
  std::string text;
  for (int c; (c = std::fgetc(pipe)) != EOF;) text.push_back(static_cast<char>(c));
  EXPECT_EQ(pclose(pipe), 0);
  std::vector<std::string> lines;
  for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1))
    lines.push_back(text.substr(0, end));
  return lines;
}

TEST(CompletionTest, BashCompletesCommandsOptionsAndChoices) {
  EXPECT_THAT(CompleteInBash("keyferry sec", 1), ElementsAre("secrets"));
  EXPECT_THAT(CompleteInBash("keyferry -o json secrets ''", 4), IsSupersetOf({"set", "list", "image-pull-secret"}));
  EXPECT_THAT(CompleteInBash("keyferry secrets set my-set --re", 4), ElementsAre("--replace-all", "--region"));
  EXPECT_THAT(CompleteInBash("keyferry keys create k --role ''", 5),
              ElementsAre("admin", "member", "deployer", "viewer"));
}

}  // namespace
}  // namespace keyferry

// The program itself, started from a shell as people do, against an API whose answers each test writes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "cli/testing/fake_api.h"
#include "keyferry/v1/environments.pb.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "libs/common/error.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Entries = std::map<std::string, std::string>;

struct Outcome {
  // As the shell sees it: 128 + signal where one ended it.
  int exit_code;
  // Standard output and error together.
  std::string output;
};

constexpr char kSecret[] = "hunter2 \"q\" '=\\ \n\xc3\xbc$x";

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    const std::string socket = directory_.File("api.sock");
    setenv("KEYFERRY_ENDPOINT", ("unix:" + socket).c_str(), 1);
    setenv("KEYFERRY_AGENT_SOCKET", socket.c_str(), 1);
    setenv("KEYFERRY_API_KEY", "kf_test", 1);
    setenv("KEYFERRY_ORG", "acme", 1);
    setenv("HOME", directory_.path().c_str(), 1);
    const std::string bin = std::filesystem::path(KEYFERRY_PROGRAM).parent_path();
    if (const std::string path = getenv("PATH"); path.rfind(bin, 0) != 0) setenv("PATH", (bin + ":" + path).c_str(), 1);
    api_.On<v1::SetSecretsRequest, v1::SetSecretsResponse>(
        "SecretSets/SetSecrets", [this](const auto& request, auto& response) {
          const absl::MutexLock lock(&mutex_);
          written_.clear();
          for (const v1::SecretEntry& entry : request.entries()) written_[entry.key()] = entry.value();
          region_ = request.region();
          response.mutable_secret_set()->set_name(request.secret_set());
          return absl::OkStatus();
        });
    api_.On<v1::GetEnvironmentRequest, v1::Environment>(
        "Environments/GetEnvironment", [this](const auto& request, auto& response) {
          if (request.agent() != "agent" || request.organization() != "acme")
            return NotFound("DEPLOYMENT_NOT_FOUND", "no such deployment", "x");
          const absl::MutexLock lock(&mutex_);
          for (const auto& [name, value] : environment_) {
            auto& variable = *response.add_variables();
            variable.set_name(name);
            variable.set_value(value);
          }
          return absl::OkStatus();
        });
  }

  Outcome Shell(const std::string& script) {
    std::ofstream(directory_.File("script.sh")) << script;
    FILE* const pipe = popen(("bash " + directory_.File("script.sh") + " 2>&1").c_str(), "r");
    std::string output;
    for (int c; (c = std::fgetc(pipe)) != EOF;) output.push_back(static_cast<char>(c));
    const int status = pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), output};
  }

  Entries WrittenBy(const std::string& script) {
    {
      const absl::MutexLock lock(&mutex_);
      written_.clear();
    }
    const Outcome outcome = Shell(script);
    EXPECT_EQ(outcome.exit_code, 0) << script << "\n" << outcome.output;
    const absl::MutexLock lock(&mutex_);
    return written_;
  }

  std::string Region() {
    const absl::MutexLock lock(&mutex_);
    return region_;
  }
  void SetEnvironment(Entries environment) {
    const absl::MutexLock lock(&mutex_);
    environment_ = std::move(environment);
  }

  // Before the API, whose threads use them until it is shut down.
  absl::Mutex mutex_;
  Entries written_ ABSL_GUARDED_BY(mutex_);
  std::string region_ ABSL_GUARDED_BY(mutex_);
  Entries environment_ ABSL_GUARDED_BY(mutex_) = {{"MY_SECRET", kSecret}};
  TempDir directory_;
  FakeApi api_{directory_.File("api.sock")};
};

// Each line is the guide's, with keyferry in the place of its program.
TEST_F(ProgramTest, EveryFormOfTheGuideSetsWhatItSays) {
  EXPECT_EQ(WrittenBy("keyferry secrets set my-secrets SECRET_NAME secret-value SECRET_NAME_2 secret-value-2"),
            (Entries{{"SECRET_NAME", "secret-value"}, {"SECRET_NAME_2", "secret-value-2"}}));
  EXPECT_EQ(WrittenBy("keyferry secrets set my-secrets SECRET_NAME_3 secret-value-3"),
            (Entries{{"SECRET_NAME_3", "secret-value-3"}}));
  EXPECT_EQ(WrittenBy("keyferry secrets set my-secrets KEY1=simple KEY2=value"),
            (Entries{{"KEY1", "simple"}, {"KEY2", "value"}}));
  for (const char* line : {R"(keyferry secrets set my-secrets KEY1="value with spaces")",
                           R"(keyferry secrets set my-secrets "KEY1=value with spaces")"}) {
    EXPECT_EQ(WrittenBy(line), (Entries{{"KEY1", "value with spaces"}}));
  }
  EXPECT_EQ(WrittenBy(R"(keyferry secrets set my-secrets KEY1="value=with=equals")"),
            (Entries{{"KEY1", "value=with=equals"}}));
  EXPECT_EQ(WrittenBy("keyferry secrets set my-secrets KEY1==value=with=equals"),
            (Entries{{"KEY1", "=value=with=equals"}}));
  for (const char* line : {R"(keyferry secrets set my-secrets KEY1="value with \"quotes\"")",
                           R"(keyferry secrets set my-secrets 'KEY1=value with "quotes"')"}) {
    EXPECT_EQ(WrittenBy(line), (Entries{{"KEY1", "value with \"quotes\""}}));
  }
  for (const char* line : {R"(keyferry secrets set my-secrets 'KEY1=value with \backslashes')",
                           R"(keyferry secrets set my-secrets "KEY1=value with \\backslashes")"}) {
    EXPECT_EQ(WrittenBy(line), (Entries{{"KEY1", "value with \\backslashes"}}));
  }
  EXPECT_EQ(WrittenBy("keyferry secrets set my-secrets SECRET_NAME secret-value --region us-east"),
            (Entries{{"SECRET_NAME", "secret-value"}}));
  EXPECT_EQ(Region(), "us-east");
}

TEST_F(ProgramTest, ABinaryFreeValueOfSixtyFourKibibytesSurvivesEveryWay) {
  std::string value = "'\"\\$`=\n\t \xc3\xbc";
  while (value.size() < 64 * 1024) value.push_back(static_cast<char>(1 + value.size() % 255));
  std::ofstream(directory_.File("value"), std::ios::binary) << value;
  const std::string path = directory_.File("value");
  EXPECT_EQ(WrittenBy("keyferry secrets set my-set --from-file K=" + path)["K"], value);
  EXPECT_EQ(WrittenBy("keyferry secrets set my-set --from-stdin K < " + path)["K"], value);
  // The shell drops newlines at the end alone, and there are none.
  EXPECT_EQ(WrittenBy("keyferry secrets set my-set K \"$(cat " + path + ")\"")["K"], value);
}

TEST_F(ProgramTest, RunGivesTheCommandTheValuesAndItsExitCode) {
  const Outcome outcome = Shell("keyferry run --agent agent -- bash -c 'printf %s \"$MY_SECRET\"; exit 42'");
  EXPECT_EQ(outcome.exit_code, 42);
  EXPECT_EQ(outcome.output, kSecret);
}

TEST_F(ProgramTest, RunPassesSignalsThrough) {
  EXPECT_EQ(Shell("keyferry run --agent agent -- bash -c 'kill -TERM $$'").exit_code, 128 + 15);
  EXPECT_EQ(Shell("keyferry run --agent agent -- bash -c 'trap \"exit 9\" USR1; : > $HOME/up; while :; do sleep 0.01; "
                  "done' & \n"
                  "while [ ! -e $HOME/up ]; do sleep 0.01; done; kill -USR1 $!; wait $!")
                .exit_code,
            9);
}

TEST_F(ProgramTest, RunHandsOverTheProcessAsItFoundIt) {
  // Signals 32 and above are the C library's own.
  const std::string state =
      "sed -nE 's/^(SigBlk|SigIgn|SigCgt):.*(.{8})$/\\1 0x\\2/p' /proc/self/status | while read -r name mask; do "
      "echo \\$name \\$((mask & 0x7fffffff)); done; ulimit -Sn; ls /proc/self/fd | wc -l; env | grep -E "
      "'^(GRPC|KEYFERRY)'";
  const Outcome bare =
      Shell("env -u KEYFERRY_ENDPOINT -u KEYFERRY_API_KEY -u KEYFERRY_ORG -u KEYFERRY_AGENT_SOCKET -u KEYFERRY_SEED bash -c \"" + state +
            "\"");
  const Outcome run = Shell("keyferry run --agent agent -- bash -c \"" + state + "\"");
  EXPECT_EQ(run.output, bare.output);
}

TEST_F(ProgramTest, RunPutsNoValueIntoArguments) {
  EXPECT_THAT(Shell("keyferry run --agent agent -- bash -c 'tr \"\\0\" \" \" < /proc/$$/cmdline'").output,
              Not(HasSubstr("hunter2")));
}

TEST_F(ProgramTest, RunLooksUpTheCommandAsAShellDoes) {
  EXPECT_EQ(Shell("keyferry run --agent agent -- no-such-command").exit_code, 127);
  EXPECT_EQ(Shell("keyferry run --agent agent -- /").exit_code, 126);
  EXPECT_EQ(Shell("keyferry run --agent other -- true").exit_code, 1);
}

TEST_F(ProgramTest, RunSendsNoApiKeyToTheSocket) {
  EXPECT_EQ(Shell("keyferry run --agent agent -- true").exit_code, 0);
  EXPECT_EQ(api_.calls().at(0).authorization, "");
}

TEST_F(ProgramTest, RunWithACleanEnvironmentHasTheValuesAndSixNames) {
  EXPECT_EQ(Shell("env -i PATH=\"$PATH\" HOME=/h EXTRA=1 KEYFERRY_ORG=acme "
                  "KEYFERRY_AGENT_SOCKET=$KEYFERRY_AGENT_SOCKET keyferry run --agent agent "
                  "--clean-environment -- env | grep -E '^(HOME|EXTRA|KEYFERRY)' | tr '\\n' ' '")
                .output,
            "HOME=/h ");
}

TEST_F(ProgramTest, RunNamesEveryKeyThatCannotBeAVariable) {
  SetEnvironment({{"MY-KEY", "hunter2"}, {"9", "hunter2"}, {"OK", "fine"}});
  const Outcome refused = Shell("keyferry run --agent agent -- true");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, AllOf(HasSubstr("9, MY-KEY"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(Shell("keyferry run --agent agent --skip-invalid-names -- bash -c 'echo $OK'").output,
              AllOf(HasSubstr("warning"), HasSubstr("fine\n")));
}

TEST_F(ProgramTest, RunRefusesAnEnvironmentThatTheSystemWouldRefuse) {
  Entries environment;
  for (int i = 0; i < 8; ++i) environment["K" + std::to_string(i)] = std::string(60 * 1024, 'x');
  SetEnvironment(std::move(environment));
  EXPECT_EQ(Shell("keyferry run --agent agent -- true").exit_code, 0);
  const Outcome refused = Shell("ulimit -s 1024; keyferry run --agent agent -- true");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, AllOf(HasSubstr("ENVIRONMENT_TOO_LARGE"), HasSubstr("262144"), Not(HasSubstr("xxx"))));
}

TEST_F(ProgramTest, ValuesVanishFromTheProcessesArguments) {
  // Standard input stays open, so that the program waits where it has already read its arguments.
  const Outcome outcome = Shell(
      "mkfifo $HOME/in; sleep 60 > $HOME/in & keeper=$!\n"
      "keyferry secrets set my-set A hunter2-a B=hunter2-b --from-stdin C < $HOME/in & pid=$!\n"
      "for i in $(seq 500); do grep -qa hunter2 /proc/$pid/cmdline || grep -qa secrets /proc/$pid/cmdline && ! grep "
      "-qa hunter2 /proc/$pid/cmdline && break;"
      " sleep 0.01; done\n"
      "tr '\\0' ' ' < /proc/$pid/cmdline; kill $keeper $pid 2>/dev/null; wait 2>/dev/null; exit 0");
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("secrets set my-set A"), HasSubstr("B="), Not(HasSubstr("hunter2"))));
}

TEST_F(ProgramTest, OutputIsPlainWhenItIsNoTerminal) {
  api_.On<v1::ListSecretSetsRequest, v1::ListSecretSetsResponse>(
      "SecretSets/ListSecretSets", [](const auto&, auto& response) {
        response.add_secret_sets()->set_readiness(v1::READINESS_READY);
        return absl::OkStatus();
      });
  EXPECT_THAT(Shell("keyferry secrets list").output, Not(HasSubstr("\033")));
}

// Answers each prompt as a person would, and tells what the terminal showed.
Outcome OnTerminal(const std::string& command, const std::vector<std::pair<std::string, std::string>>& answers) {
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    execlp("bash", "bash", "-c", command.c_str(), nullptr);
    _exit(99);
  }
  std::string shown;
  size_t next = 0, from = 0;
  char buffer[512];
  for (ssize_t got; (got = read(terminal, buffer, sizeof buffer)) > 0;) {
    shown.append(buffer, static_cast<size_t>(got));
    if (next == answers.size()) continue;
    const size_t at = shown.find(answers[next].first, from);
    if (at == std::string::npos) continue;
    from = at + answers[next].first.size();
    const std::string& answer = answers[next++].second;
    if (write(terminal, answer.data(), answer.size()) < 0) break;
  }
  close(terminal);
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), shown};
}

class TerminalTest : public ProgramTest {
 protected:
  TerminalTest() {
    api_.On<v1::SetImagePullSecretRequest, v1::SetSecretsResponse>("SecretSets/SetImagePullSecret",
                                                                   [this](const auto& request, auto&) {
                                                                     const absl::MutexLock lock(&mutex_);
                                                                     auth_ = request.auth();
                                                                     return absl::OkStatus();
                                                                   });
    api_.On<v1::DeleteSecretSetRequest, v1::DeleteSecretSetResponse>("SecretSets/DeleteSecretSet",
                                                                     [this](const auto&, auto&) {
                                                                       const absl::MutexLock lock(&mutex_);
                                                                       ++deleted_;
                                                                       return absl::OkStatus();
                                                                     });
    api_.On<v1::ListSecretSetsRequest, v1::ListSecretSetsResponse>(
        "SecretSets/ListSecretSets", [](const auto&, auto& response) {
          response.add_secret_sets()->set_readiness(v1::READINESS_READY);
          return absl::OkStatus();
        });
  }
  std::string Auth() {
    const absl::MutexLock lock(&mutex_);
    return auth_;
  }
  int Deleted() {
    const absl::MutexLock lock(&mutex_);
    return deleted_;
  }

 private:
  std::string auth_ ABSL_GUARDED_BY(mutex_);
  int deleted_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST_F(TerminalTest, TheTokenIsAskedForWithoutEcho) {
  const Outcome outcome =
      OnTerminal("keyferry secrets image-pull-secret pull ghcr.io", {{"Username", "user\n"}, {"Token: ", "hunter2\n"}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(Auth(), "dXNlcjpodW50ZXIy");
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("user"), Not(HasSubstr("hunter2"))));
}

TEST_F(TerminalTest, AnInterruptedPromptLeavesTheEchoOn) {
  const Outcome outcome =
      OnTerminal("trap : INT; keyferry secrets image-pull-secret pull ghcr.io; echo code $?; stty -a",
                 {{"Username", "user\n"}, {"Token: ", "\x03"}});
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("code 130"), HasSubstr(" echo "), Not(HasSubstr(" -echo "))));
  EXPECT_EQ(Auth(), "");
}

TEST_F(TerminalTest, DeletingAsksFirst) {
  EXPECT_EQ(OnTerminal("keyferry secrets delete my-set", {{"[y/N]", "n\n"}}).exit_code, 1);
  EXPECT_EQ(Deleted(), 0);
  EXPECT_EQ(OnTerminal("keyferry secrets delete my-set", {{"[y/N]", "y\n"}}).exit_code, 0);
  EXPECT_EQ(OnTerminal("keyferry secrets delete my-set -s", {}).exit_code, 0);
  EXPECT_EQ(Shell("keyferry secrets delete my-set < /dev/null").exit_code, 0);
  EXPECT_EQ(Deleted(), 3);
}

TEST_F(TerminalTest, ColoursAreForTerminalsThatWantThem) {
  EXPECT_THAT(OnTerminal("TERM=xterm keyferry secrets list", {}).output, HasSubstr("\033[32mready"));
  EXPECT_THAT(OnTerminal("TERM=xterm NO_COLOR=1 keyferry secrets list", {}).output, Not(HasSubstr("\033")));
  EXPECT_THAT(OnTerminal("TERM=dumb keyferry secrets list", {}).output, Not(HasSubstr("\033")));
}

}  // namespace
}  // namespace keyferry

#include "cli/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> Build(const std::vector<EnvironmentValue>& values, const std::vector<std::string>& caller,
                               EnvironmentOptions options = {}) {
  const auto built = BuildEnvironment(values, caller, options);
  EXPECT_THAT(built, IsOk());
  return built.ok() ? built->entries : std::vector<std::string>();
}

TEST(EnvironmentTest, ValuesJoinTheCallersEnvironmentAndWin) {
  EXPECT_THAT(Build({{"A", "new"}, {"B", "b=\n"}}, {"A=old", "HOME=/h"}), ElementsAre("A=new", "B=b=\n", "HOME=/h"));
}

TEST(EnvironmentTest, OurOwnSettingsAreNotPassedOn) {
  EXPECT_THAT(Build({}, {"KEYFERRY_API_KEY=k", "KEYFERRY_ORG=o", "KEYFERRYX=1", "X=2"}),
              ElementsAre("KEYFERRYX=1", "X=2"));
}

TEST(EnvironmentTest, ADeployedValueMayHaveTheNameOfASetting) {
  EXPECT_THAT(Build({{"KEYFERRY_ORG", "deployed"}}, {"KEYFERRY_ORG=ours"}), ElementsAre("KEYFERRY_ORG=deployed"));
}

TEST(EnvironmentTest, ACleanEnvironmentKeepsSixNames) {
  EXPECT_THAT(Build({{"A", "1"}}, {"PATH=p", "HOME=h", "LANG=l", "TERM=t", "TZ=z", "USER=u", "SHELL=s", "LC_ALL=c"},
                    {.clean = true}),
              ElementsAre("A=1", "HOME=h", "LANG=l", "PATH=p", "TERM=t", "TZ=z", "USER=u"));
}

TEST(EnvironmentTest, EveryNameThatCannotBeAVariableIsListed) {
  const auto built = BuildEnvironment(
      std::vector<EnvironmentValue>{{"MY-KEY", "hunter2"}, {"OK_1", "x"}, {"9LIVES", "y"}, {"-", "z"}}, {}, {});
  EXPECT_THAT(built, FailsWith(absl::StatusCode::kFailedPrecondition, "INVALID_ENVIRONMENT_NAME"));
  EXPECT_THAT(std::string(built.status().message()),
              AllOf(HasSubstr("MY-KEY, 9LIVES, -"), HasSubstr("--skip-invalid-names"), Not(HasSubstr("hunter2"))));
}

TEST(EnvironmentTest, SuchNamesCanBeLeftOutWithAWarning) {
  const auto built =
      BuildEnvironment(std::vector<EnvironmentValue>{{"MY-KEY", "x"}, {"_ok", "1"}}, {}, {.skip_invalid_names = true});
  ASSERT_THAT(built, IsOk());
  EXPECT_THAT(built->entries, ElementsAre("_ok=1"));
  EXPECT_THAT(built->warnings, ElementsAre(HasSubstr("MY-KEY")));
}

TEST(EnvironmentTest, ANulCannotBeInAnEnvironment) {
  const auto built = BuildEnvironment(std::vector<EnvironmentValue>{{"A", std::string_view("a\0b", 3)}}, {}, {});
  EXPECT_THAT(built, FailsWith(absl::StatusCode::kFailedPrecondition, "INVALID_ENVIRONMENT_VALUE"));
}

TEST(EnvironmentTest, NamesThatChangeHowProgramsStartAreWarnedAbout) {
  const auto built = BuildEnvironment(std::vector<EnvironmentValue>{{"LD_PRELOAD", "/x.so"}}, {}, {});
  ASSERT_THAT(built, IsOk());
  EXPECT_THAT(built->entries, ElementsAre("LD_PRELOAD=/x.so"));
  EXPECT_THAT(built->warnings, ElementsAre(HasSubstr("LD_PRELOAD")));
  EXPECT_THAT(BuildEnvironment(std::vector<EnvironmentValue>{{"A", "1"}}, std::vector<std::string>{"LD_PRELOAD=/y"}, {})
                  ->warnings,
              IsEmpty());
}

TEST(EnvironmentTest, OneVariableFitsUpToTheLimitAndNotOneMore) {
  const ExecLimits limits{.total_bytes = 1 << 20, .string_bytes = 100};
  const std::vector<std::string> fits = {"A=" + std::string(97, 'x')}, too_long = {"A=" + std::string(98, 'x')};
  EXPECT_THAT(CheckExecLimits(fits, {}, limits), IsOk());
  const absl::Status refused = CheckExecLimits(too_long, {}, limits);
  EXPECT_THAT(refused, FailsWith(absl::StatusCode::kFailedPrecondition, "ENVIRONMENT_TOO_LARGE"));
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("A (101 bytes)"), Not(HasSubstr("xx"))));
}

TEST(EnvironmentTest, TheWholeFitsUpToTheLimitAndNotOneMore) {
  const std::vector<std::string> entries = {"A=1"}, program = {"cmd", "arg"};
  // Reserve, then each string with its terminator and pointer.
  const size_t size = 8 * 1024 + (4 + 8) + (4 + 8) + (4 + 8);
  EXPECT_THAT(CheckExecLimits(entries, program, {.total_bytes = size, .string_bytes = 100}), IsOk());
  const absl::Status refused = CheckExecLimits(entries, program, {.total_bytes = size - 1, .string_bytes = 100});
  EXPECT_THAT(refused, FailsWith(absl::StatusCode::kFailedPrecondition, "ENVIRONMENT_TOO_LARGE"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr(std::to_string(size)));
}

TEST(EnvironmentTest, TheSystemsLimitsFitABoundEnvironment) {
  EXPECT_GE(CurrentExecLimits().string_bytes, 128u * 1024);
  EXPECT_GE(CurrentExecLimits().total_bytes, 128u * 1024);
}

}  // namespace
}  // namespace keyferry

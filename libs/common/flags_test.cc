#include "libs/common/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/flags/flag.h"

ABSL_FLAG(std::string, some_word, "", "a word");
ABSL_FLAG(int, some_number, 0, "a number");
ABSL_FLAG(bool, some_switch, true, "a switch");

namespace keyferry {
namespace {

using ::testing::ElementsAre;
using ::testing::ExitedWithCode;

constexpr char kProgram[] = "/opt/bin/keyferry-thing";

std::vector<std::string> Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), kProgram);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return ParseFlags(static_cast<int>(pointers.size()), pointers.data(), "does a thing", "libs/common/");
}

TEST(FlagsTest, HyphensAndUnderscoresAreTheSameAndWordsAreLeftOver) {
  EXPECT_THAT(Parse({"--some-word", "x-y=z", "one", "--some_number=7", "--nosome-switch", "two", "--", "--three"}),
              ElementsAre("one", "two", "--three"));
  EXPECT_EQ(absl::GetFlag(FLAGS_some_word), "x-y=z");
  EXPECT_EQ(absl::GetFlag(FLAGS_some_number), 7);
  EXPECT_FALSE(absl::GetFlag(FLAGS_some_switch));
}

TEST(FlagsDeathTest, AFlagThatDoesNotExistIsAMistakeInTheConfiguration) {
  EXPECT_EXIT(Parse({"--no-such-flag"}), ExitedWithCode(78),
              "keyferry-thing: there is no flag --no-such-flag; see --help");
  EXPECT_EXIT(Parse({"--nosome-word"}), ExitedWithCode(78), "there is no flag --nosome-word");
  EXPECT_EXIT(Parse({"-x"}), ExitedWithCode(78), "there is no flag --x");
}

TEST(FlagsDeathTest, SoIsAValueThatAFlagCannotHaveOrThatIsMissing) {
  EXPECT_EXIT(Parse({"--some-number=many"}), ExitedWithCode(78), "--some-number cannot have that value");
  EXPECT_EXIT(Parse({"--some-number", "8 and a half"}), ExitedWithCode(78), "--some-number cannot have that value");
  EXPECT_EXIT(Parse({"--some-switch=perhaps"}), ExitedWithCode(78), "--some-switch cannot have that value");
  EXPECT_EXIT(Parse({"--some-word"}), ExitedWithCode(78), "--some-word needs a value");
}

TEST(FlagsDeathTest, HelpNamesTheSourceAndNotWhereItWasBuilt) {
  // It goes to standard output, which the death test does not see.
  EXPECT_EXIT(
      {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        Parse({"--help"});
      },
      ExitedWithCode(1), "does a thing\n+ *Flags from libs/common/flags_test.cc:");
}

}  // namespace
}  // namespace keyferry

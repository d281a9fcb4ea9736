#include "services/api/keyring_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_split.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::StatusCode kInvalidArgument = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;

class KeyringCommandTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Run(std::vector<std::string> words) { return RunKeyringCommand(words, ""); }
  std::string Output(std::vector<std::string> words) {
    const auto output = Run(std::move(words));
    EXPECT_THAT(output, IsOk());
    return output.value_or("");
  }
  // The id in a line `purpose state id`.
  static std::string IdIn(const std::string& line) {
    return std::vector<std::string>(absl::StrSplit(line, absl::ByAnyChar(" \n")))[2];
  }

  TempDir directory_;
  const std::string path_ = directory_.File("keyring");
};

TEST_F(KeyringCommandTest, InitMakesOneKeyOfEachPurposeAndListsThem) {
  const std::string made = Output({"init", path_});
  EXPECT_THAT(made, HasSubstr("root current "));
  EXPECT_THAT(made, HasSubstr("pepper current "));
  EXPECT_THAT(made, HasSubstr("audit current "));
  EXPECT_THAT(made, HasSubstr("backup current "));
  EXPECT_EQ(Output({"list", path_}), made);
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600);
}

TEST_F(KeyringCommandTest, InitReplacesNothing) {
  const std::string made = Output({"init", path_});
  EXPECT_THAT(Run({"init", path_}), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(Output({"list", path_}), made);
}

TEST_F(KeyringCommandTest, AddMakesANewerKeyAndKeepsTheOneBefore) {
  const std::string before = Output({"init", path_});
  for (const char* purpose : {"root", "pepper", "audit", "backup"}) {
    const std::string added = Output({"add", path_, purpose});
    EXPECT_THAT(added, StartsWith(std::string(purpose) + " current "));
    EXPECT_THAT(Output({"list", path_}), HasSubstr(added));
    EXPECT_THAT(Output({"list", path_}), HasSubstr(std::string(purpose) + " previous "));
    EXPECT_THAT(before, Not(HasSubstr(IdIn(added))));
  }
}

TEST_F(KeyringCommandTest, RetireDestroysAPreviousKeyAndNeverTheCurrentOne) {
  Output({"init", path_});
  const std::string first = IdIn(Output({"add", path_, "root"}));
  EXPECT_THAT(Run({"retire", path_, "root", first}), StatusIs(kFailedPrecondition));
  Output({"add", path_, "root"});
  EXPECT_EQ(Output({"retire", path_, "root", first}), "root retired " + first + "\n");
  EXPECT_THAT(Output({"list", path_}), Not(HasSubstr(first)));
  EXPECT_THAT(Run({"retire", path_, "root", first}), StatusIs(kNotFound));
}

TEST_F(KeyringCommandTest, NothingThatIsPrintedHoldsAKey) {
  std::string output;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"init", path_}, {"add", path_, "root"}, {"list", path_}, {"verify", path_}})
    output += Output(words);
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words.size() != 4) continue;
    EXPECT_THAT(output, Not(HasSubstr(words[3].substr(0, 8))));
  }
}

TEST_F(KeyringCommandTest, VerifyMakesTheChecksOfAStart) {
  Output({"init", path_});
  EXPECT_THAT(Output({"verify", path_}), HasSubstr("4 keys, all in order"));
  EXPECT_THAT(RunKeyringCommand({"verify", path_}, directory_.path()), StatusIs(kFailedPrecondition));
  chmod(path_.c_str(), 0640);
  EXPECT_THAT(Run({"verify", path_}), StatusIs(kFailedPrecondition));
  chmod(path_.c_str(), 0600);
  std::ofstream(path_, std::ios::app) << "more\n";
  EXPECT_THAT(Run({"verify", path_}), StatusIs(kFailedPrecondition));
  EXPECT_THAT(Run({"verify", directory_.File("nothing")}), StatusIs(kNotFound));
}

TEST_F(KeyringCommandTest, RefusesOtherVerbsPurposesAndNumbersOfWords) {
  Output({"init", path_});
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"show", path_},
                                                       {"init"},
                                                       {"init", path_, "root"},
                                                       {"add", path_},
                                                       {"add", path_, "root", "x"},
                                                       {"add", path_, "region"},
                                                       {"add", path_, "Root"},
                                                       {"list"},
                                                       {"list", path_, "x"},
                                                       {"retire", path_, "root"},
                                                       {"retire", path_, "thing", "x"},
                                                       {"verify"}};
  for (const auto& words : wrong)
    EXPECT_THAT(Run(words), StatusIs(kInvalidArgument)) << ::testing::PrintToString(words);
}

}  // namespace
}  // namespace keyferry

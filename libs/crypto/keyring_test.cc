#include "libs/crypto/keyring.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;
constexpr std::string_view kFirstLine = "keyferry-keyring-v1\n";
constexpr uid_t kStranger = 12345;

std::string Read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class KeyringTest : public ::testing::Test {
 protected:
  KeyringTest() {
    EXPECT_THAT(Keyring::Create(path_, {KeyPurpose::kRoot, KeyPurpose::kPepper, KeyPurpose::kRegion}), IsOk());
    text_ = Read(path_);
    lines_ = absl::StrSplit(text_, '\n');
  }

  // Refused, in words that name the file and hold no key.
  void ExpectRefused(const std::string& words, const std::string& data_directory = "") {
    const absl::Status status = Keyring::Load(path_, data_directory).status();
    EXPECT_THAT(status, StatusIs(kFailedPrecondition));
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path_), HasSubstr(words)));
    for (const std::string& line : lines_) {
      if (line.size() > 44) {
        EXPECT_THAT(std::string(status.message()), Not(HasSubstr(line.substr(line.size() - 44))));
      }
    }
  }

  void Write(const std::string& text) { std::ofstream(path_, std::ios::trunc) << text; }
  // The lines between the first and the checksum, with the checksum that belongs to them.
  void WriteLines(const std::string& lines) {
    const std::string body = std::string(kFirstLine) + lines;
    Write(absl::StrCat(body, "sha256 ", absl::BytesToHexString(Sha256(body)), "\n"));
  }
  std::string Line(const std::string& purpose) {
    for (const std::string& line : lines_) {
      if (line.starts_with(purpose + " ")) return line + "\n";
    }
    return "";
  }
  std::string Word(const std::string& purpose, int index) {
    const std::string line = Line(purpose);
    const std::vector<std::string> words = absl::StrSplit(line.substr(0, line.size() - 1), ' ');
    return words[index];
  }
  // A current key of another file.
  std::string OtherLine(const std::string& purpose) {
    const std::string path = directory_.File("other");
    EXPECT_THAT(Keyring::Create(path, {KeyPurpose::kRoot, KeyPurpose::kPepper, KeyPurpose::kRegion}), IsOk());
    const std::string text = Read(path);
    std::filesystem::remove(path);
    const size_t start = text.find(purpose + " ");
    return text.substr(start, text.find('\n', start) + 1 - start);
  }

  TempDir directory_;
  const std::string path_ = directory_.File("keyring");
  std::string text_;
  std::vector<std::string> lines_;
};

TEST_F(KeyringTest, CreateWritesOneCurrentKeyOfEachPurpose) {
  const auto keyring = Keyring::Load(path_, "");
  ASSERT_THAT(keyring, IsOk());
  for (const KeyPurpose purpose : {KeyPurpose::kRoot, KeyPurpose::kPepper, KeyPurpose::kRegion}) {
    const auto key = keyring->Current(purpose);
    ASSERT_THAT(key, IsOk());
    EXPECT_EQ(key->bytes->size(), kKeyBytes);
    EXPECT_EQ(key->id.size(), 20u);
    EXPECT_TRUE(keyring->Find(purpose, key->id)->bytes->Equals(*key->bytes));
  }
}

TEST_F(KeyringTest, AFileHasModeSixHundredAndLeavesNothingBeside) {
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
}

TEST_F(KeyringTest, CreateNeverReplacesAFile) {
  EXPECT_THAT(Keyring::Create(path_, {KeyPurpose::kRoot}), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(Read(path_), text_);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
}

TEST_F(KeyringTest, CreateRefusesADanglingLinkAtItsName) {
  const std::string link = directory_.File("link");
  std::filesystem::create_symlink(directory_.File("target"), link);
  EXPECT_THAT(Keyring::Create(link, {KeyPurpose::kRoot}), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_FALSE(std::filesystem::exists(directory_.File("target")));
}

TEST_F(KeyringTest, CreateRefusesNoPurposeAndTheSameTwice) {
  EXPECT_THAT(Keyring::Create(directory_.File("new"), {}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Keyring::Create(directory_.File("new"), {KeyPurpose::kRoot, KeyPurpose::kRoot}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Keyring::Create(directory_.File("absent/new"), {KeyPurpose::kRoot}), StatusIs(kNotFound));
}

TEST_F(KeyringTest, CreateRefusesADirectoryThatOthersCanWrite) {
  std::filesystem::create_directory(directory_.File("open"));
  ASSERT_EQ(chmod(directory_.File("open").c_str(), 0777), 0);
  EXPECT_THAT(Keyring::Create(directory_.File("open/new"), {KeyPurpose::kRoot}), StatusIs(kFailedPrecondition));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.File("open")));
}

TEST_F(KeyringTest, APurposeThatIsNotThereIsNotFound) {
  WriteLines(Line("root"));
  const auto keyring = Keyring::Load(path_, "");
  ASSERT_THAT(keyring, IsOk());
  EXPECT_THAT(keyring->Current(KeyPurpose::kPepper), StatusIs(kNotFound));
  EXPECT_THAT(keyring->Find(KeyPurpose::kRoot, "aaaaaaaaaaaaaaaaaaaa"), StatusIs(kNotFound));
  EXPECT_THAT(keyring->Find(KeyPurpose::kPepper, keyring->Current(KeyPurpose::kRoot)->id), StatusIs(kNotFound));
}

TEST_F(KeyringTest, APreviousKeyIsFoundButNotCurrent) {
  const std::string newer = OtherLine("root");
  const std::string old_id = Word("root", 2);
  WriteLines(absl::StrReplaceAll(Line("root"), {{" current ", " previous "}}) + newer);
  const auto keyring = Keyring::Load(path_, "");
  ASSERT_THAT(keyring, IsOk());
  EXPECT_NE(keyring->Current(KeyPurpose::kRoot)->id, old_id);
  EXPECT_THAT(keyring->Find(KeyPurpose::kRoot, old_id), IsOk());
}

TEST_F(KeyringTest, AnIdIsDerivedFromPurposeAndKey) {
  WriteLines("root current 5liz4lgzabopvupv4aqu AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
  EXPECT_THAT(Keyring::Load(path_, ""), IsOk());
}

TEST_F(KeyringTest, ForTestHoldsAKeyOfEachPurpose) {
  const Keyring keyring = Keyring::ForTest();
  EXPECT_THAT(keyring.Current(KeyPurpose::kRoot), IsOk());
  EXPECT_THAT(keyring.Current(KeyPurpose::kPepper), IsOk());
  EXPECT_THAT(keyring.Current(KeyPurpose::kRegion), IsOk());
}

// The file and where it lies.

TEST_F(KeyringTest, LoadRefusesAMissingFile) {
  const absl::Status status = Keyring::Load(directory_.File("absent"), "").status();
  EXPECT_THAT(status, StatusIs(kNotFound));
  EXPECT_THAT(std::string(status.message()), HasSubstr("no such file"));
}

TEST_F(KeyringTest, LoadAndCreateRefuseNoPath) {
  EXPECT_THAT(Keyring::Load("", ""), StatusIs(kFailedPrecondition));
  EXPECT_THAT(Keyring::Create("", {KeyPurpose::kRoot}), StatusIs(kFailedPrecondition));
  EXPECT_THAT(Keyring::Load("/", ""), StatusIs(kNotFound));
  EXPECT_THAT(Keyring::Load(directory_.path() + "/", ""), StatusIs(kNotFound));
}

TEST_F(KeyringTest, ARelativePathIsTakenFromTheWorkingDirectory) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(directory_.path());
  EXPECT_THAT(Keyring::Load("keyring", ""), IsOk());
  EXPECT_THAT(Keyring::Load("./x/../keyring", directory_.path()), StatusIs(kFailedPrecondition));
  std::filesystem::current_path(before);
}

TEST_F(KeyringTest, LoadRefusesAMissingDirectory) {
  EXPECT_THAT(Keyring::Load(directory_.File("absent/keyring"), ""), StatusIs(kNotFound));
}

TEST_F(KeyringTest, LoadRefusesASymbolicLink) {
  std::filesystem::rename(path_, directory_.File("real"));
  std::filesystem::create_symlink(directory_.File("real"), path_);
  ExpectRefused("symbolic link");
}

TEST_F(KeyringTest, LoadRefusesALinkedDirectoryOnTheWay) {
  std::filesystem::create_directory_symlink(directory_.path(), directory_.File("link"));
  const absl::Status status = Keyring::Load(directory_.File("link/keyring"), "").status();
  EXPECT_THAT(status, StatusIs(kFailedPrecondition));
  EXPECT_THAT(std::string(status.message()), HasSubstr("real path"));
}

TEST_F(KeyringTest, LoadRefusesADirectory) {
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  ExpectRefused("not a regular file");
}

TEST_F(KeyringTest, LoadRefusesAPipeWithoutWaitingForIt) {
  std::filesystem::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  ExpectRefused("not a regular file");
}

TEST_F(KeyringTest, LoadRefusesASecondHardLink) {
  std::filesystem::create_hard_link(path_, directory_.File("second"));
  ExpectRefused("2 hard links");
}

TEST_F(KeyringTest, LoadRefusesAFileOfAnotherUser) {
  if (chown(path_.c_str(), kStranger, kStranger) != 0) GTEST_SKIP() << "only root can give a file away";
  ExpectRefused("belongs to user 12345");
}

TEST_F(KeyringTest, LoadRefusesEveryBitOfGroupAndOthers) {
  for (const mode_t bit : {0040, 0020, 0010, 0004, 0002, 0001}) {
    ASSERT_EQ(chmod(path_.c_str(), 0600 | bit), 0);
    ExpectRefused("chmod 600");
  }
  ASSERT_EQ(chmod(path_.c_str(), 0400), 0);
  EXPECT_THAT(Keyring::Load(path_, ""), IsOk());
}

TEST_F(KeyringTest, LoadRefusesADirectoryThatGroupOrOthersCanWrite) {
  for (const mode_t bit : {0020, 0002}) {
    ASSERT_EQ(chmod(directory_.path().c_str(), 0700 | bit), 0);
    ExpectRefused("chmod go-w " + directory_.path());
    ASSERT_EQ(chmod(directory_.path().c_str(), 01700 | bit), 0);
    EXPECT_THAT(Keyring::Load(path_, ""), IsOk()) << "sticky";
  }
}

class NestedKeyringTest : public KeyringTest {
 protected:
  NestedKeyringTest() {
    std::filesystem::create_directories(directory_.File("a/b"));
    nested_ = directory_.File("a/b/keyring");
    std::filesystem::rename(path_, nested_);
  }
  std::string Refusal(const std::string& data_directory = "") {
    const absl::Status status = Keyring::Load(nested_, data_directory).status();
    EXPECT_THAT(status, StatusIs(kFailedPrecondition));
    return std::string(status.message());
  }
  std::string nested_;
};

TEST_F(NestedKeyringTest, LoadRefusesADistantDirectoryThatOthersCanWrite) {
  ASSERT_EQ(chmod(directory_.File("a").c_str(), 0757), 0);
  EXPECT_THAT(Refusal(), HasSubstr("chmod go-w " + directory_.File("a")));
}

TEST_F(NestedKeyringTest, LoadRefusesADirectoryOfAnotherUser) {
  if (chown(directory_.File("a").c_str(), kStranger, kStranger) != 0)
    GTEST_SKIP() << "only root can give a directory away";
  EXPECT_THAT(Refusal(), HasSubstr("belongs to user 12345"));
}

TEST_F(NestedKeyringTest, LoadRefusesAPathInsideTheDataDirectory) {
  EXPECT_THAT(Refusal(directory_.File("a/b")), HasSubstr("inside the data directory"));
  EXPECT_THAT(Refusal(directory_.File("a")), HasSubstr("inside the data directory"));
  EXPECT_THAT(Refusal(directory_.File("a/../a/")), HasSubstr("inside the data directory"));
}

TEST_F(NestedKeyringTest, LoadRefusesAPathInsideTheDataDirectoryUnderAnotherName) {
  std::filesystem::create_directory_symlink(directory_.File("a"), directory_.File("data"));
  EXPECT_THAT(Refusal(directory_.File("data")), HasSubstr("inside the data directory"));
}

TEST_F(NestedKeyringTest, LoadAcceptsAPathBesideTheDataDirectory) {
  std::filesystem::create_directories(directory_.File("a/bc"));
  EXPECT_THAT(Keyring::Load(nested_, directory_.File("a/bc")), IsOk());
  EXPECT_THAT(Keyring::Load(nested_, directory_.File("absent")), IsOk());
}

TEST_F(KeyringTest, LoadTakesSixtyFourKibibytesAndRefusesOneMore) {
  std::filesystem::resize_file(path_, 64 * 1024);
  ExpectRefused("last line");
  std::filesystem::resize_file(path_, 64 * 1024 + 1);
  ExpectRefused("65537 bytes");
}

// What stands in it.

TEST_F(KeyringTest, LoadRefusesAnEmptyFile) {
  Write("");
  ExpectRefused("does not begin");
}

TEST_F(KeyringTest, LoadRefusesAnotherFirstLine) {
  Write(absl::StrReplaceAll(text_, {{"-v1", "-v2"}}));
  ExpectRefused("does not begin");
}

TEST_F(KeyringTest, LoadRefusesEveryCutOffFile) {
  for (size_t size = 0; size < text_.size(); ++size) {
    Write(text_.substr(0, size));
    ExpectRefused(size < kFirstLine.size() ? "does not begin" : "cut off");
  }
}

TEST_F(KeyringTest, LoadRefusesEveryChangedByte) {
  for (size_t at = 0; at < text_.size(); ++at) {
    std::string changed = text_;
    changed[at] ^= 1;
    Write(changed);
    ExpectRefused("");
  }
}

TEST_F(KeyringTest, LoadRefusesAWrongChecksum) {
  Write(absl::StrReplaceAll(text_, {{"root current", "root previous"}}));
  ExpectRefused("checksum does not match");
}

TEST_F(KeyringTest, TheChecksumIsWhatTheMessageTellsTheOperatorToCompute) {
  const std::string command = absl::StrCat("head -n -1 ", path_, " | sha256sum | cut -c1-64");
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char digest[65] = {};
  EXPECT_EQ(fread(digest, 1, 64, pipe), 64u);
  pclose(pipe);
  EXPECT_THAT(text_, HasSubstr(absl::StrCat("\nsha256 ", digest, "\n")));
}

TEST_F(KeyringTest, LoadRefusesAChecksumThatDoesNotBeginItsLine) {
  const std::string root = Line("root");
  WriteLines(root.substr(0, root.size() - 1));
  ExpectRefused("last line is not a checksum");
}

TEST_F(KeyringTest, LoadRefusesThreeWordsAndFive) {
  WriteLines("root current " + Word("root", 2) + "\n");
  ExpectRefused("line 2: it is not of the form");
  WriteLines(Line("pepper") + absl::StrReplaceAll(Line("root"), {{"\n", " more\n"}}));
  ExpectRefused("line 3: it is not of the form");
}

TEST_F(KeyringTest, LoadRefusesBlankLinesTwoSpacesAndCarriageReturns) {
  WriteLines("\n" + Line("root"));
  ExpectRefused("line 2: it is not of the form");
  WriteLines(absl::StrReplaceAll(Line("root"), {{" current", "  current"}}));
  ExpectRefused("line 2: it is not of the form");
  WriteLines(absl::StrReplaceAll(Line("root"), {{"\n", "\r\n"}}));
  ExpectRefused("line 2: its last word");
}

TEST_F(KeyringTest, LoadRefusesAnUnknownPurpose) {
  WriteLines(absl::StrReplaceAll(Line("root"), {{"root", "Root"}}));
  ExpectRefused("line 2: its purpose");
}

TEST_F(KeyringTest, LoadRefusesAnUnknownState) {
  WriteLines(absl::StrReplaceAll(Line("root"), {{" current", " retired"}}));
  ExpectRefused("line 2: its state");
}

TEST_F(KeyringTest, LoadRefusesWhatIsNotBase64OfThirtyTwoBytes) {
  for (const char* base64 :
       {"AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        // 31 bytes, 33 bytes, a bit too many, the URL alphabet, a stray byte.
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", "________________________________________AAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\t"}) {
    WriteLines(absl::StrCat("root current ", Word("root", 2), " ", base64, "\n"));
    ExpectRefused("line 2: its last word");
  }
}

TEST_F(KeyringTest, LoadRefusesAKeyUnderAnothersName) {
  WriteLines(absl::StrCat("root current ", Word("root", 2), " ", Word("pepper", 3), "\n"));
  ExpectRefused("line 2: its id is not the one");
}

TEST_F(KeyringTest, LoadRefusesAKeyUnderAnotherPurpose) {
  WriteLines(absl::StrReplaceAll(Line("root"), {{"root", "pepper"}}));
  ExpectRefused("line 2: its id is not the one");
}

TEST_F(KeyringTest, LoadRefusesAnIdInCapitals) {
  WriteLines(absl::StrCat("root current ", absl::AsciiStrToUpper(Word("root", 2)), " ", Word("root", 3), "\n"));
  ExpectRefused("line 2: its id is not the one");
}

TEST_F(KeyringTest, LoadRefusesTheSameKeyTwice) {
  WriteLines(Line("root") + absl::StrReplaceAll(Line("root"), {{" current ", " previous "}}));
  ExpectRefused("line 3: its key " + Word("root", 2) + " is there twice");
}

TEST_F(KeyringTest, LoadRefusesTwoCurrentKeysOfOnePurpose) {
  WriteLines(Line("root") + OtherLine("root"));
  ExpectRefused("line 3: it is the second current key of purpose root");
}

TEST_F(KeyringTest, LoadRefusesAPurposeWithNoCurrentKey) {
  WriteLines(Line("root") + absl::StrReplaceAll(Line("pepper"), {{" current ", " previous "}}));
  ExpectRefused("no key of purpose pepper is current");
}

TEST_F(KeyringTest, LoadRefusesAFileWithoutKeys) {
  WriteLines("");
  ExpectRefused("holds no key");
}

}  // namespace
}  // namespace keyferry

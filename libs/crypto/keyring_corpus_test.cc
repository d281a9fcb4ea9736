// Bad keyrings, one for each check, with the words of the refusal; and how a good one changes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/keyring.h"
#include "libs/crypto/root_keys.h"

namespace keyferry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr uid_t kStranger = 12345;
constexpr std::string_view kFirstLine = "keyferry-keyring-v1\n";

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

struct BadKeyring {
  const char* what;
  // What the message says beside the path.
  std::string words;
  std::function<void()> make;
  bool needs_root = false;
};

class KeyringCorpusTest : public ::testing::Test {
 protected:
  KeyringCorpusTest() {
    EXPECT_THAT(Keyring::Create(path_, {KeyPurpose::kRoot, KeyPurpose::kPepper}), IsOk());
    text_ = ReadFile(path_);
    const std::vector<std::string> lines = absl::StrSplit(text_, '\n');
    root_ = lines[1] + "\n";
    pepper_ = lines[2] + "\n";
    EXPECT_THAT(Keyring::Create(directory_.File("other"), {KeyPurpose::kRoot}), IsOk());
    other_root_ = std::vector<std::string>(absl::StrSplit(ReadFile(directory_.File("other")), '\n'))[1] + "\n";
    std::filesystem::remove(directory_.File("other"));
  }

  void Write(const std::string& text) { std::ofstream(path_, std::ios::trunc) << text; }
  // Lines with the checksum that belongs to them.
  void WriteLines(const std::string& lines) {
    const std::string body = std::string(kFirstLine) + lines;
    Write(absl::StrCat(body, "sha256 ", absl::BytesToHexString(Sha256(body)), "\n"));
  }
  static std::string With(const std::string& line, const std::string& from, const std::string& to) {
    return absl::StrReplaceAll(line, {{from, to}});
  }
  std::string Id(const std::string& line) { return std::vector<std::string>(absl::StrSplit(line, ' '))[2]; }
  std::string Base64(const std::string& line) { return line.substr(line.rfind(' ') + 1, 44); }

  void ExpectRefused(const BadKeyring& bad) {
    SCOPED_TRACE(bad.what);
    if (bad.needs_root && geteuid() != 0) return;
    bad.make();
    const absl::Status refused = Keyring::Load(path_, "").status();
    EXPECT_THAT(refused, StatusIs(kFailedPrecondition));
    const std::string message(refused.message());
    EXPECT_THAT(message, AllOf(HasSubstr(path_), HasSubstr(bad.words)));
    for (const std::string& line : {root_, pepper_, other_root_}) EXPECT_THAT(message, Not(HasSubstr(Base64(line))));
    // Whole again for the next one.
    ASSERT_EQ(chown(directory_.path().c_str(), geteuid(), getegid()), 0);
    ASSERT_EQ(chmod(directory_.path().c_str(), 0700), 0);
    for (const std::string& file : {path_, directory_.File("real")}) std::filesystem::remove_all(file);
    Write(text_);
    ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
    ASSERT_THAT(Keyring::Load(path_, ""), IsOk());
  }

  TempDir directory_;
  const std::string path_ = directory_.File("keyring");
  std::string text_, root_, pepper_, other_root_;
};

TEST_F(KeyringCorpusTest, EveryFileThatSomebodyElseMayTouchIsRefusedInItsOwnWords) {
  const auto mode = [&](mode_t bits) { ASSERT_EQ(chmod(path_.c_str(), bits), 0); };
  const auto directory_mode = [&](mode_t bits) { ASSERT_EQ(chmod(directory_.path().c_str(), bits), 0); };
  const std::string real = directory_.File("real");
  const std::vector<BadKeyring> corpus = {
      // The file.
      {"a symbolic link", "is a symbolic link",
       [&] { std::filesystem::rename(path_, real), std::filesystem::create_symlink(real, path_); }},
      {"a directory", "not a regular file",
       [&] { std::filesystem::remove(path_), std::filesystem::create_directory(path_); }},
      {"a pipe", "not a regular file", [&] { std::filesystem::remove(path_), mkfifo(path_.c_str(), 0600); }},
      {"a second hard link", "has 2 hard links", [&] { std::filesystem::create_hard_link(path_, real); }},
      {"a file of another user", "belongs to user 12345",
       [&] { ASSERT_EQ(chown(path_.c_str(), kStranger, kStranger), 0); }, true},
      {"readable by its group", "mode is 0640", [&] { mode(0640); }},
      {"writable by its group", "mode is 0620", [&] { mode(0620); }},
      {"readable by others", "mode is 0604", [&] { mode(0604); }},
      {"writable by others", "mode is 0602", [&] { mode(0602); }},
      {"a credential's mode elsewhere", "mode is 0440", [&] { mode(0440); }},
      {"too large", "has 65537 bytes", [&] { std::filesystem::resize_file(path_, 64 * 1024 + 1); }},
      // Its way.
      {"a directory that its group can write", "chmod go-w", [&] { directory_mode(0770); }},
      {"a directory that others can write", "chmod go-w", [&] { directory_mode(0707); }},
      {"a directory of another user", "belongs to user 12345",
       [&] { ASSERT_EQ(chown(directory_.path().c_str(), kStranger, kStranger), 0); }, true},
  };
  for (const BadKeyring& bad : corpus) ExpectRefused(bad);
}

TEST_F(KeyringCorpusTest, EveryBadKeyringIsRefusedInItsOwnWordsWhichQuoteNoKey) {
  const std::vector<BadKeyring> corpus = {
      // Its frame.
      {"empty", "does not begin with the line", [&] { Write(""); }},
      {"another version", "does not begin with the line", [&] { Write(With(text_, "-v1", "-v2")); }},
      {"a byte order mark", "does not begin with the line", [&] { Write("\xef\xbb\xbf" + text_); }},
      {"cut off", "may be cut off", [&] { Write(text_.substr(0, text_.size() - 10)); }},
      {"without its checksum", "may be cut off", [&] { Write(std::string(kFirstLine) + root_); }},
      {"bytes behind the checksum", "may be cut off", [&] { Write(text_ + "\n"); }},
      {"a line without its end", "last line is not a checksum", [&] { WriteLines(root_.substr(0, root_.size() - 1)); }},
      {"edited by hand", "checksum does not match", [&] { Write(With(text_, "root current", "root previous")); }},
      {"its checksum in capitals", "checksum does not match",
       [&] { Write(text_.substr(0, text_.size() - 65) + absl::AsciiStrToUpper(text_.substr(text_.size() - 65))); }},
      // Its lines.
      {"no key", "holds no key", [&] { WriteLines(""); }},
      {"an empty line", "line 3: it is not of the form", [&] { WriteLines(root_ + "\n"); }},
      {"three words", "line 2: it is not of the form", [&] { WriteLines("root current " + Id(root_) + "\n"); }},
      {"five words", "line 2: it is not of the form", [&] { WriteLines(With(root_, "\n", " x\n")); }},
      {"two spaces", "line 2: it is not of the form", [&] { WriteLines(With(root_, " current", "  current")); }},
      {"carriage returns", "line 2: its last word", [&] { WriteLines(With(root_, "\n", "\r\n")); }},
      {"an unknown purpose", "line 2: its purpose is not", [&] { WriteLines(With(root_, "root", "signing")); }},
      {"a purpose in capitals", "line 2: its purpose is not", [&] { WriteLines(With(root_, "root", "Root")); }},
      {"an unknown state", "line 2: its state is not", [&] { WriteLines(With(root_, "current", "retired")); }},
      {"31 bytes", "line 2: its last word",
       [&] { WriteLines("root current " + Id(root_) + " " + std::string(42, 'A') + "==\n"); }},
      {"33 bytes", "line 2: its last word",
       [&] { WriteLines("root current " + Id(root_) + " " + std::string(44, 'A') + "\n"); }},
      {"base64 without its padding", "line 2: its last word", [&] { WriteLines(With(root_, "=", "")); }},
      {"base64 with bits too many", "line 2: its last word",
       [&] { WriteLines("root current " + Id(root_) + " " + std::string(42, 'A') + "B=\n"); }},
      {"a key under another's id", "line 2: its id is not the one",
       [&] { WriteLines("root current " + Id(pepper_) + " " + Base64(root_) + "\n"); }},
      {"a key under another purpose", "line 2: its id is not the one",
       [&] { WriteLines(With(root_, "root", "audit")); }},
      {"an id in capitals", "line 2: its id is not the one",
       [&] { WriteLines(With(root_, Id(root_), absl::AsciiStrToUpper(Id(root_)))); }},
      {"a key twice", "is there twice", [&] { WriteLines(root_ + With(root_, "current", "previous")); }},
      {"two current keys", "line 3: it is the second current key", [&] { WriteLines(root_ + other_root_); }},
      {"no current key", "no key of purpose pepper is current",
       [&] { WriteLines(root_ + With(pepper_, "current", "previous")); }},
  };
  EXPECT_GE(corpus.size(), 24u);
  for (const BadKeyring& bad : corpus) ExpectRefused(bad);
}

TEST_F(KeyringCorpusTest, AKeyringOfBeforeHasNeitherAuditNorBackupKeyAndSaysHowToAddOne) {
  const auto keyring = Keyring::Load(path_, "");
  ASSERT_THAT(keyring, IsOk());
  for (const KeyPurpose purpose : {KeyPurpose::kAudit, KeyPurpose::kBackup}) {
    const absl::Status missing = keyring->Current(purpose).status();
    EXPECT_THAT(missing, StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(std::string(missing.message()),
                HasSubstr(absl::StrCat("keyring add ", std::string(NameOfPurpose(purpose)))));
  }
}

TEST_F(KeyringCorpusTest, PurposesHaveNamesAndNamesPurposes) {
  std::set<std::string_view> names;
  for (const KeyPurpose purpose :
       {KeyPurpose::kRoot, KeyPurpose::kPepper, KeyPurpose::kRegion, KeyPurpose::kAudit, KeyPurpose::kBackup}) {
    names.insert(NameOfPurpose(purpose));
    EXPECT_EQ(PurposeOfName(NameOfPurpose(purpose)), purpose);
  }
  EXPECT_EQ(names.size(), 5u);
  EXPECT_EQ(PurposeOfName("Root"), std::nullopt);
}

// How it changes.

class KeyringChangeTest : public KeyringCorpusTest {
 protected:
  std::vector<Keyring::Listed> List() { return Keyring::Load(path_, "")->List(); }
  int FilesBeside() {
    return static_cast<int>(std::distance(std::filesystem::directory_iterator(directory_.path()), {}));
  }
};

TEST_F(KeyringChangeTest, AddKeyMakesANewCurrentKeyAndTheOneBeforePrevious) {
  const std::string old_id = Id(root_), pepper_id = Id(pepper_);
  const auto id = Keyring::AddKey(path_, KeyPurpose::kRoot);
  ASSERT_THAT(id, IsOk());
  const auto keyring = Keyring::Load(path_, "");
  ASSERT_THAT(keyring, IsOk());
  EXPECT_EQ(keyring->Current(KeyPurpose::kRoot)->id, *id);
  EXPECT_THAT(keyring->Find(KeyPurpose::kRoot, old_id), IsOk());
  EXPECT_EQ(keyring->Current(KeyPurpose::kPepper)->id, pepper_id);
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(FilesBeside(), 1);
}

TEST_F(KeyringChangeTest, AddKeyAddsAPurposeThatWasNotThere) {
  ASSERT_THAT(Keyring::AddKey(path_, KeyPurpose::kAudit), IsOk());
  ASSERT_THAT(Keyring::AddKey(path_, KeyPurpose::kBackup), IsOk());
  EXPECT_THAT(Keyring::Load(path_, "")->Current(KeyPurpose::kAudit), IsOk());
  EXPECT_EQ(Keyring::Load(path_, "")->Current(KeyPurpose::kBackup)->bytes->size(), kKeyBytes);
}

TEST_F(KeyringChangeTest, RetireDestroysAPreviousKeyAndNoOther) {
  const std::string old_id = Id(root_);
  EXPECT_THAT(Keyring::Retire(path_, KeyPurpose::kRoot, old_id), StatusIs(kFailedPrecondition));
  const std::string newest = *Keyring::AddKey(path_, KeyPurpose::kRoot);
  EXPECT_THAT(Keyring::Retire(path_, KeyPurpose::kRoot, newest), StatusIs(kFailedPrecondition));
  EXPECT_THAT(Keyring::Retire(path_, KeyPurpose::kPepper, old_id), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Keyring::Retire(path_, KeyPurpose::kRoot, old_id), IsOk());
  EXPECT_THAT(Keyring::Retire(path_, KeyPurpose::kRoot, old_id), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ReadFile(path_), Not(HasSubstr(Base64(root_))));
  EXPECT_THAT(Keyring::Load(path_, "")->Current(KeyPurpose::kRoot), IsOk());
}

TEST_F(KeyringChangeTest, ListTellsPurposeStateAndIdOfEveryKey) {
  const std::string newest = *Keyring::AddKey(path_, KeyPurpose::kPepper);
  std::vector<Keyring::Listed> listed = List();
  std::sort(listed.begin(), listed.end(),
            [](const auto& a, const auto& b) { return std::tie(a.purpose, a.state) < std::tie(b.purpose, b.state); });
  EXPECT_THAT(listed, ElementsAre(Keyring::Listed{KeyPurpose::kRoot, KeyState::kCurrent, Id(root_)},
                                  Keyring::Listed{KeyPurpose::kPepper, KeyState::kCurrent, newest},
                                  Keyring::Listed{KeyPurpose::kPepper, KeyState::kPrevious, Id(pepper_)}));
}

TEST_F(KeyringChangeTest, ABadKeyringIsNotChanged) {
  Write(With(text_, "root current", "root previous"));
  const std::string before = ReadFile(path_);
  EXPECT_THAT(Keyring::AddKey(path_, KeyPurpose::kRoot), StatusIs(kFailedPrecondition));
  EXPECT_EQ(ReadFile(path_), before);
  Write(text_);
  ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
  EXPECT_THAT(Keyring::AddKey(path_, KeyPurpose::kRoot), StatusIs(kFailedPrecondition));
  EXPECT_THAT(Keyring::AddKey(directory_.File("absent"), KeyPurpose::kRoot), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Keyring::AddKey("", KeyPurpose::kRoot), StatusIs(kFailedPrecondition));
  EXPECT_EQ(ReadFile(path_), text_);
  EXPECT_EQ(FilesBeside(), 1);
}

TEST_F(KeyringChangeTest, OwnerAndModeStay) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_EQ(chmod(path_.c_str(), 0400), 0);
  ASSERT_THAT(Keyring::AddKey(path_, KeyPurpose::kRoot), IsOk());
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0400u);
}

TEST_F(KeyringChangeTest, AFullKeyringTakesNoKeyAndStaysAsItIs) {
  std::string lines;
  while (lines.size() + 200 < 64 * 1024) {
    ASSERT_THAT(Keyring::Create(directory_.File("more"), {KeyPurpose::kRoot}), IsOk());
    const std::string line =
        std::vector<std::string>(absl::StrSplit(ReadFile(directory_.File("more")), '\n'))[1] + "\n";
    std::filesystem::remove(directory_.File("more"));
    lines += lines.empty() ? line : With(line, "current", "previous");
  }
  WriteLines(lines);
  absl::Status added;
  for (int i = 0; i < 3 && added.ok(); ++i) added = Keyring::AddKey(path_, KeyPurpose::kRoot).status();
  EXPECT_THAT(added, StatusIs(kFailedPrecondition));
  EXPECT_THAT(Keyring::Load(path_, ""), IsOk());
}

TEST_F(KeyringChangeTest, TwoWhoAddAtOnceBothSucceed) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 5; ++j) EXPECT_THAT(Keyring::AddKey(path_, KeyPurpose::kBackup), IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(List().size(), 2u + 20u);
  EXPECT_EQ(FilesBeside(), 1);
}

// systemd's LoadCredential.

class KeyringCredentialTest : public KeyringCorpusTest {
 protected:
  KeyringCredentialTest() {
    EXPECT_EQ(setenv("CREDENTIALS_DIRECTORY", directory_.path().c_str(), 1), 0);
    EXPECT_EQ(chmod(path_.c_str(), 0440), 0);
    EXPECT_EQ(chmod(directory_.path().c_str(), 0550), 0);
  }
  ~KeyringCredentialTest() override {
    unsetenv("CREDENTIALS_DIRECTORY");
    chmod(directory_.path().c_str(), 0700);
  }
};

TEST_F(KeyringCredentialTest, ACredentialThatItsGroupBitShowsReadableIsAccepted) {
  EXPECT_THAT(Keyring::Load(path_, ""), IsOk());
  ASSERT_EQ(chmod(path_.c_str(), 0400), 0);
  EXPECT_THAT(Keyring::Load(path_, ""), IsOk());
}

TEST_F(KeyringCredentialTest, NoOtherModeIs) {
  for (const mode_t bits : {0640, 0460, 0444, 0441, 0450, 0442, 04440, 02440}) {
    ASSERT_EQ(chmod(path_.c_str(), bits), 0);
    EXPECT_THAT(Keyring::Load(path_, ""), StatusIs(kFailedPrecondition)) << std::oct << bits;
  }
}

TEST_F(KeyringCredentialTest, NorAFileOfAnotherUser) {
  if (chown(path_.c_str(), kStranger, kStranger) != 0) GTEST_SKIP() << "only root can give a file away";
  EXPECT_THAT(Keyring::Load(path_, ""), StatusIs(kFailedPrecondition));
}

TEST_F(KeyringCredentialTest, NorOneInADirectoryThatOthersCanWriteAlsoIfItIsSticky) {
  for (const mode_t bits : {01777, 01770, 0770}) {
    ASSERT_EQ(chmod(directory_.path().c_str(), bits), 0);
    EXPECT_THAT(Keyring::Load(path_, ""), StatusIs(kFailedPrecondition)) << std::oct << bits;
  }
}

TEST_F(KeyringCredentialTest, NorOneBesideOrBelowTheDirectory) {
  ASSERT_EQ(setenv("CREDENTIALS_DIRECTORY", "/", 1), 0);
  EXPECT_THAT(Keyring::Load(path_, ""), StatusIs(kFailedPrecondition));
  ASSERT_EQ(setenv("CREDENTIALS_DIRECTORY", directory_.File("absent").c_str(), 1), 0);
  EXPECT_THAT(Keyring::Load(path_, ""), StatusIs(kFailedPrecondition));
  ASSERT_EQ(setenv("CREDENTIALS_DIRECTORY", "", 1), 0);
  EXPECT_THAT(Keyring::Load(path_, ""), StatusIs(kFailedPrecondition));
}

TEST_F(KeyringCredentialTest, SystemdsCopyIsNotChanged) {
  const absl::Status refused = Keyring::AddKey(path_, KeyPurpose::kRoot).status();
  EXPECT_THAT(refused, StatusIs(kFailedPrecondition));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("LoadCredential"));
  EXPECT_EQ(ReadFile(path_), text_);
}

// Root keys of a keyring that changes while they are used.

TEST_F(KeyringChangeTest, ReplacedRootKeysWrapUnderTheNewOneAndUnwrapUnderBoth) {
  const auto root_keys = KeyringRootKeys::Create(*Keyring::Load(path_, ""));
  const SecretBytes key = SecretBytes::Random(kKeyBytes);
  const RootWrapped before = *root_keys->Wrap(key, "place");
  const std::string id = *Keyring::AddKey(path_, KeyPurpose::kRoot);
  ASSERT_THAT(root_keys->Replace(*Keyring::Load(path_, "")), IsOk());
  EXPECT_THAT(root_keys->CurrentId(), IsOkAndHolds(id));
  const RootWrapped after = *root_keys->Wrap(key, "place");
  EXPECT_EQ(after.root_key_id, id);
  EXPECT_EQ(before.root_key_id, Id(root_));
  for (const RootWrapped& wrapped : {before, after}) {
    EXPECT_TRUE(root_keys->Unwrap(wrapped, "place")->Equals(key));
    EXPECT_THAT(root_keys->Unwrap(wrapped, "another place"), StatusIs(absl::StatusCode::kDataLoss));
  }
  RootWrapped renamed = before;
  renamed.root_key_id = id;
  EXPECT_THAT(root_keys->Unwrap(renamed, "place"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(KeyringChangeTest, ReplaceRefusesAKeyringThatLacksAKnownRootKey) {
  ASSERT_THAT(Keyring::AddKey(path_, KeyPurpose::kRoot), IsOk());
  const auto root_keys = KeyringRootKeys::Create(*Keyring::Load(path_, ""));
  const std::string current = *root_keys->CurrentId();
  const RootWrapped wrapped = *root_keys->Wrap(SecretBytes::Random(kKeyBytes), "place");
  ASSERT_THAT(Keyring::Retire(path_, KeyPurpose::kRoot, Id(root_)), IsOk());
  EXPECT_THAT(root_keys->Replace(*Keyring::Load(path_, "")), StatusIs(kFailedPrecondition));
  EXPECT_THAT(root_keys->Replace(Keyring::ForTest()), StatusIs(kFailedPrecondition));
  EXPECT_THAT(root_keys->CurrentId(), IsOkAndHolds(current));
  EXPECT_THAT(root_keys->Unwrap(wrapped, "place"), IsOk());
  EXPECT_THAT(KeyringRootKeys::Create(Keyring::ForTest())->Unwrap(wrapped, "place"), StatusIs(kFailedPrecondition));
}

}  // namespace
}  // namespace keyferry

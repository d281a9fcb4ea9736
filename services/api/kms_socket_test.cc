#include "services/api/kms_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"

namespace keyferry {
namespace {

constexpr absl::StatusCode kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr uid_t kStranger = 12345;

MATCHER_P(IsRefusedWith, words, "") {
  *result_listener << arg.ToString();
  return arg.code() == kFailedPrecondition && std::string(arg.message()).find(words) != std::string::npos;
}

class KmsSocketTest : public testing::Test {
 protected:
  KmsSocketTest() {
    std::filesystem::create_directory(parent_);
    chmod(parent_.c_str(), 0755);
  }

  Descriptor ListenAt(const std::string& path, mode_t mode = 0600) {
    Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener.get(), 4), 0);
    chmod(path.c_str(), mode);
    return listener;
  }

  TempDir directory_;
  const std::string parent_ = directory_.File("kms");
  const std::string path_ = parent_ + "/socket";
};

TEST_F(KmsSocketTest, ConnectsToASocketOfOurOwn) {
  const Descriptor listener = ListenAt(path_);
  EXPECT_THAT(CheckKmsSocket(path_), IsOk());
  const auto connected = ConnectKmsSocket(path_);
  ASSERT_THAT(connected, IsOk());
  EXPECT_NE(fcntl(connected->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(KmsSocketTest, TakesMode0660AndNotOneBitMore) {
  const Descriptor listener = ListenAt(path_, 0660);
  EXPECT_THAT(CheckKmsSocket(path_), IsOk());
  for (const mode_t mode : {0661, 0662, 0664, 0760, 0666, 0777}) {
    chmod(path_.c_str(), mode);
    EXPECT_THAT(CheckKmsSocket(path_), IsRefusedWith("more than 0660")) << std::oct << mode;
  }
}

TEST_F(KmsSocketTest, SaysThatNothingIsThere) {
  EXPECT_THAT(CheckKmsSocket(path_), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(CheckKmsSocket(directory_.File("nowhere/socket")), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(KmsSocketTest, SaysThatNobodyListens) {
  { const Descriptor listener = ListenAt(path_); }
  EXPECT_THAT(CheckKmsSocket(path_), IsOk());
  EXPECT_THAT(ConnectKmsSocket(path_), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(KmsSocketTest, RefusesASymbolicLink) {
  const Descriptor listener = ListenAt(path_);
  std::filesystem::create_symlink(path_, parent_ + "/link");
  EXPECT_THAT(CheckKmsSocket(parent_ + "/link"), IsRefusedWith("symbolic link"));
}

TEST_F(KmsSocketTest, RefusesASymbolicLinkOnTheWay) {
  const Descriptor listener = ListenAt(path_);
  std::filesystem::create_directory_symlink(parent_, directory_.File("link"));
  EXPECT_THAT(CheckKmsSocket(directory_.File("link/socket")), IsRefusedWith("symbolic link"));
}

TEST_F(KmsSocketTest, RefusesAFileAndADirectory) {
  std::ofstream(path_) << "no socket";
  EXPECT_THAT(CheckKmsSocket(path_), IsRefusedWith("not a socket"));
  EXPECT_THAT(CheckKmsSocket(parent_), IsRefusedWith("not a socket"));
  EXPECT_THAT(CheckKmsSocket(parent_ + "/"), IsRefusedWith("names a directory"));
}

TEST_F(KmsSocketTest, RefusesAbstractRelativeAndUrlPaths) {
  for (const char* path : {"@keyferry-kms", "kms/socket", "unix:///run/kms/socket", "unix:/run/kms/socket", ""}) {
    EXPECT_THAT(CheckKmsSocket(path), IsRefusedWith("absolute path")) << path;
  }
  EXPECT_THAT(CheckKmsSocket(std::string("\0keyferry-kms", 13)), IsRefusedWith("absolute path"));
  EXPECT_THAT(CheckKmsSocket(std::string("/run/kms\0/socket", 16)), IsRefusedWith("absolute path"));
  EXPECT_THAT(CheckKmsSocket("/run/../run/kms"), IsRefusedWith("`..`"));
}

TEST_F(KmsSocketTest, TakesAPathOf107BytesAndRefuses108) {
  const std::string longest = parent_ + "/" + std::string(107 - parent_.size() - 1, 's');
  const Descriptor listener = ListenAt(longest);
  EXPECT_THAT(ConnectKmsSocket(longest), IsOk());
  EXPECT_THAT(CheckKmsSocket(longest + "s"), IsRefusedWith("108 bytes"));
}

TEST_F(KmsSocketTest, RefusesAStrangersSocket) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const Descriptor listener = ListenAt(path_);
  ASSERT_EQ(chown(path_.c_str(), kStranger, 0), 0);
  EXPECT_THAT(CheckKmsSocket(path_), IsRefusedWith("belongs to user 12345"));
}

TEST_F(KmsSocketTest, RefusesAStrangersDirectory) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const Descriptor listener = ListenAt(path_);
  ASSERT_EQ(chown(parent_.c_str(), kStranger, 0), 0);
  EXPECT_THAT(CheckKmsSocket(path_), IsRefusedWith("belongs to user 12345"));
}

TEST_F(KmsSocketTest, RefusesADirectoryThatEverybodyCanWriteStickyOrNot) {
  const Descriptor listener = ListenAt(path_);
  chmod(parent_.c_str(), 0757);
  EXPECT_THAT(CheckKmsSocket(path_), IsRefusedWith("others can write"));
  chmod(parent_.c_str(), 01777);
  EXPECT_THAT(CheckKmsSocket(path_), IsRefusedWith("everybody can write"));
}

TEST_F(KmsSocketTest, RefusesADirectoryFartherUpThatOthersCanWrite) {
  const Descriptor listener = ListenAt(path_);
  chmod(directory_.path().c_str(), 0770);
  EXPECT_THAT(CheckKmsSocket(path_), IsRefusedWith("others can write"));
  chmod(directory_.path().c_str(), 01770);
  EXPECT_THAT(CheckKmsSocket(path_), IsOk());
  chmod(directory_.path().c_str(), 0700);
}

TEST_F(KmsSocketTest, RefusesASocketThatAStrangerListensOn) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  ASSERT_EQ(seteuid(kStranger), 0);
  const Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(seteuid(0), 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  chmod(path_.c_str(), 0600);
  ASSERT_EQ(seteuid(kStranger), 0);
  ASSERT_EQ(listen(listener.get(), 4), 0);
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_THAT(CheckKmsSocket(path_), IsOk());
  EXPECT_THAT(ConnectKmsSocket(path_).status(), IsRefusedWith("user 12345 listens"));
}

}  // namespace
}  // namespace keyferry

#include "libs/rpc/acceptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/socket.h"
#include "libs/rpc/testing/descriptor_hog.h"
#include "libs/rpc/testing/raw_connection.h"

namespace keyferry {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

// What an acceptor handed over.
class Connections {
 public:
  Acceptor::Handler Handler() {
    return [this](int descriptor) {
      absl::MutexLock lock(&mutex_);
      descriptors_.emplace_back(descriptor);
    };
  }
  bool Reach(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return descriptors_.size() >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), kPatience);
  }
  size_t count() {
    absl::MutexLock lock(&mutex_);
    return descriptors_.size();
  }
  int first() {
    absl::MutexLock lock(&mutex_);
    return descriptors_.front().get();
  }
  void CloseAll() {
    absl::MutexLock lock(&mutex_);
    descriptors_.clear();
  }

 private:
  absl::Mutex mutex_;
  std::vector<Descriptor> descriptors_ ABSL_GUARDED_BY(mutex_);
};

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(AcceptorTest, HandsOverConnectionsOfThePortThatItChose) {
  Connections connections;
  const auto acceptor = Acceptor::Bind({.address = "127.0.0.1:0"});
  ASSERT_THAT(acceptor, IsOk());
  EXPECT_FALSE((*acceptor)->address().ends_with(":0"));
  (*acceptor)->Start(connections.Handler());
  const Descriptor client = ConnectRaw((*acceptor)->address());
  ASSERT_TRUE(connections.Reach(1));
  EXPECT_EQ(fcntl(connections.first(), F_GETFD), FD_CLOEXEC);
  EXPECT_TRUE(fcntl(connections.first(), F_GETFL) & O_NONBLOCK);
}

TEST(AcceptorTest, SecondListenerOnAPortIsRefused) {
  const auto first = Acceptor::Bind({.address = "127.0.0.1:0"});
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(Acceptor::Bind({.address = (*first)->address()}), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(AcceptorTest, RefusesAddressesThatAreNone) {
  const TempDir directory;
  for (const std::string address : {"", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:http", "unix:", "unix:relative"}) {
    EXPECT_THAT(Acceptor::Bind({.address = address}), StatusIs(absl::StatusCode::kInvalidArgument)) << address;
  }
  EXPECT_THAT(Acceptor::Bind({.address = "unix:/" + std::string(107, 'a')}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Acceptor::Bind({.address = "127.0.0.1:0", .allowed_users = {{0}}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(AcceptorTest, ConnectionsPastTheCapAreClosedAndComeInAgainOnceOthersEnd) {
  Connections connections;
  const auto acceptor = Acceptor::Bind({.address = "127.0.0.1:0", .max_connections = 2});
  (*acceptor)->Start(connections.Handler());
  const Descriptor one = ConnectRaw((*acceptor)->address());
  const Descriptor two = ConnectRaw((*acceptor)->address());
  ASSERT_TRUE(connections.Reach(2));

  EXPECT_TRUE(IsClosedByPeer(ConnectRaw((*acceptor)->address())));
  EXPECT_EQ(connections.count(), 2U);

  connections.CloseAll();
  // The cap is counted anew after a while.
  std::vector<Descriptor> later;
  const absl::Time deadline = absl::Now() + kPatience;
  while (connections.count() == 0 && absl::Now() < deadline) {
    later.push_back(ConnectRaw((*acceptor)->address()));
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_GE(connections.count(), 1U);
}

TEST(AcceptorTest, ConnectionsLeaveDescriptorsForTheRest) {
  const rlim_t enough = 2 * 100 + kReservedDescriptors;
  EXPECT_EQ(ClampConnections(100, RLIM_INFINITY), 100);
  EXPECT_EQ(ClampConnections(100, enough), 100);
  EXPECT_EQ(ClampConnections(100, enough - 1), 99);
  EXPECT_EQ(ClampConnections(100, kReservedDescriptors), kMinConnections);
  EXPECT_EQ(ClampConnections(100, 0), kMinConnections);
  EXPECT_EQ(ClampConnections(2, 0), 2);
}

TEST(AcceptorTest, UnixSocketHasItsModeAndGoesAwayWithTheAcceptor) {
  const TempDir directory;
  const std::string path = directory.File("socket");
  {
    const auto acceptor = Acceptor::Bind({.address = "unix:" + path, .file_mode = 0666});
    ASSERT_THAT(acceptor, IsOk());
    EXPECT_EQ(ModeOf(path), 0666U);
    EXPECT_EQ((*acceptor)->address(), "unix:" + path);
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST(AcceptorTest, UnixSocketLetsOnlyAllowedUsersIn) {
  const TempDir directory;
  Connections connections;
  const auto strict =
      Acceptor::Bind({.address = "unix:" + directory.File("strict"), .allowed_users = {{getuid() + 1}}});
  const auto open =
      Acceptor::Bind({.address = "unix:" + directory.File("open"), .allowed_users = {{getuid() + 1, getuid()}}});
  (*strict)->Start(connections.Handler());
  EXPECT_TRUE(IsClosedByPeer(ConnectRaw((*strict)->address())));
  EXPECT_EQ(connections.count(), 0U);
  (*open)->Start(connections.Handler());
  const Descriptor client = ConnectRaw((*open)->address());
  EXPECT_TRUE(connections.Reach(1));
}

TEST(AcceptorTest, UnixSocketReplacesADeadSocketButNothingElse) {
  const TempDir directory;
  const std::string path = directory.File("socket");
  {
    const Descriptor dead(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
  }
  const auto acceptor = Acceptor::Bind({.address = "unix:" + path});
  ASSERT_THAT(acceptor, IsOk());
  EXPECT_THAT(Acceptor::Bind({.address = "unix:" + path}), StatusIs(absl::StatusCode::kUnavailable));

  const std::string file = directory.File("file");
  std::ofstream(file) << "precious";
  EXPECT_THAT(Acceptor::Bind({.address = "unix:" + file}), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(access(file.c_str(), F_OK), 0);
}

TEST(AcceptorTest, ComesBackAfterDescriptorsRanOut) {
  Connections connections;
  const auto acceptor = Acceptor::Bind({.address = "127.0.0.1:0"});
  (*acceptor)->Start(connections.Handler());
  Descriptor waiting;
  {
    DescriptorHog hog;
    hog.GiveOne();
    waiting = ConnectRaw((*acceptor)->address());
    ASSERT_GE(waiting.get(), 0);
    // Long enough for some accepts to fail.
    absl::SleepFor(absl::Milliseconds(100));
    EXPECT_EQ(connections.count(), 0U);
  }
  EXPECT_TRUE(connections.Reach(1));
  const Descriptor later = ConnectRaw((*acceptor)->address());
  EXPECT_TRUE(connections.Reach(2));
}

}  // namespace
}  // namespace keyferry

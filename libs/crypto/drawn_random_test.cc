#include "libs/crypto/drawn_random.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace keyferry {
namespace {

constexpr size_t kNonce = 24;

TEST(DrawnRandomTest, NothingComesTwiceOnAnyThread) {
  constexpr int kThreads = 4, kEach = 2000;
  std::vector<std::vector<std::string>> drawn(kThreads);
  std::vector<std::thread> threads;
  for (std::vector<std::string>& mine : drawn) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < kEach; ++i) mine.push_back(DrawnRandom(kNonce));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const std::vector<std::string>& mine : drawn) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), size_t{kThreads} * kEach);
}

TEST(DrawnRandomTest, GivesAsMuchAsIsAskedForAlsoBeyondWhatIsDrawnAtATime) {
  for (const size_t size : {size_t{0}, size_t{1}, kDrawnBytes, kDrawnBytes + 1}) EXPECT_EQ(DrawnRandom(size).size(), size);
  EXPECT_NE(DrawnRandom(kDrawnBytes), std::string(kDrawnBytes, '\0'));
  EXPECT_NE(DrawnRandom(kDrawnBytes + 1), std::string(kDrawnBytes + 1, '\0'));
}

TEST(DrawnRandomTest, AForkedChildDrawsOtherBytesThanItsParent) {
  DrawnRandom(kNonce);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::string bytes = DrawnRandom(kNonce);
    _exit(write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(kNonce) ? 0 : 1);
  }
  const std::string ours = DrawnRandom(kNonce);
  std::string theirs(kNonce, '\0');
  ASSERT_EQ(read(ends[0], theirs.data(), theirs.size()), static_cast<ssize_t>(kNonce));
  int state = 0;
  ASSERT_EQ(waitpid(child, &state, 0), child);
  EXPECT_EQ(state, 0);
  EXPECT_NE(theirs, ours);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace keyferry

#include "libs/common/last_words.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace keyferry {
namespace {

constexpr int kExitCode = 70;

// In a process of its own.
void StallStderr() {
  int ends[2];
  if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0) std::_Exit(1);
  fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
  while (write(STDERR_FILENO, "x", 1) == 1) {
  }
  fcntl(STDERR_FILENO, F_SETFL, 0);
}

TEST(LastWordsTest, AreSaidAndThenTheProcessEnds) {
  EXPECT_EXIT(EndWithLastWords(kExitCode, "disk_failed", {{"why", "EIO"}}), testing::ExitedWithCode(kExitCode), "disk_failed.*EIO");
}

TEST(LastWordsTest, AReaderThatStallsDoesNotKeepTheProcessAlive) {
  EXPECT_EXIT((StallStderr(), EndWithLastWords(kExitCode, "disk_failed", {})), testing::ExitedWithCode(kExitCode), "");
}

TEST(LastWordsTest, NorDoesAThreadThatHoldsAllSignalsBack) {
  EXPECT_EXIT(
      {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, nullptr);
        const auto writer = LogWriter::Start();
        StallStderr();
        EndWithLastWords(kExitCode, "disk_failed", {});
      },
      testing::ExitedWithCode(kExitCode), "");
}

}  // namespace
}  // namespace keyferry

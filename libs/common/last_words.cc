#include "libs/common/last_words.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>

namespace keyferry {

namespace {

std::atomic<int> stalled_exit_code = EXIT_FAILURE;

}  // namespace

void EndWithLastWords(int exit_code, std::string_view event, std::initializer_list<LogField> fields) {
  sigset_t alarms;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  // A handler: the first process of a container does not die of a signal by default.
  stalled_exit_code = exit_code;
  std::signal(SIGALRM, [](int) { _exit(stalled_exit_code); });
  pthread_sigmask(SIG_UNBLOCK, &alarms, nullptr);
  alarm(kLastWordsSeconds);
  Log(Severity::kError, event, fields);
  std::_Exit(exit_code);
}

}  // namespace keyferry

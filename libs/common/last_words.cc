#include "libs/common/last_words.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace keyferry {

void EndWithLastWords(int exit_code, std::string_view event, std::initializer_list<LogField> fields) {
  sigset_t alarms;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  std::signal(SIGALRM, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &alarms, nullptr);
  alarm(kLastWordsSeconds);
  Log(Severity::kError, event, fields);
  std::_Exit(exit_code);
}

}  // namespace keyferry

// SIGTERM and SIGINT, and SIGHUP for those that read their files again, awaited on one thread instead of handled on
// any.
#ifndef KEYFERRY_COMMON_STOP_SIGNAL_H_
#define KEYFERRY_COMMON_STOP_SIGNAL_H_

#include <signal.h>

namespace keyferry {

inline sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Call before there is another thread: all inherit it. A peer that closes its end of a pipe is no reason to die either.
inline void BlockStopSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

inline sigset_t StopSignalsAndHangUp() {
  sigset_t signals = StopSignals();
  sigaddset(&signals, SIGHUP);
  return signals;
}

// As BlockStopSignals.
inline void BlockHangUp() {
  const sigset_t signals = StopSignalsAndHangUp();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

// The signal that came.
inline int AwaitSignal(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

inline int AwaitStopSignal() { return AwaitSignal(StopSignals()); }

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_STOP_SIGNAL_H_

// SIGTERM and SIGINT, awaited on one thread instead of handled on any.
#ifndef KEYFERRY_SERVICES_API_STOP_SIGNAL_H_
#define KEYFERRY_SERVICES_API_STOP_SIGNAL_H_

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

// The signal that came.
inline int AwaitStopSignal() {
  const sigset_t signals = StopSignals();
  int signal = 0;
  sigwait(&signals, &signal);
  return signal;
}

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_STOP_SIGNAL_H_

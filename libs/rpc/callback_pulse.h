// Keeps gRPC 1.51's callback threads awake. Each of them naps for 100 ms after one second in which it got no event, and
// a call that arrives while all nap waits. A pulse posts an event to their queue every 400 ms, so that no two can have
// been without one for a second; then at most one of them naps at any time. grpc::Alarm cannot do it: its callbacks run
// elsewhere.
//
// Thread safety: confined to its owner; end it before the process does.
#ifndef KEYFERRY_RPC_CALLBACK_PULSE_H_
#define KEYFERRY_RPC_CALLBACK_PULSE_H_

#include <memory>

#include "absl/time/time.h"

namespace keyferry {

inline constexpr absl::Duration kCallbackPulseInterval = absl::Milliseconds(400);

class CallbackPulse {
 public:
  // Beats from here to its end.
  static std::unique_ptr<CallbackPulse> Start();
  virtual ~CallbackPulse() = default;
};

}  // namespace keyferry

#endif  // KEYFERRY_RPC_CALLBACK_PULSE_H_

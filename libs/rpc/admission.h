// In which order, and how fast, new connections come in where each costs a handshake. When all peers of a server come
// back at once, their handshakes share its threads with the calls of others, and each takes as long as all together:
// longer than the peers wait, so that all work is for nothing and begins again. So a few come in at a time:
//   D1  After a few at once, at most `per_second`.
//   D2  The newest first: whoever has waited longest is the next to give up.
//   D3  One whose peer has given up, or that waited longer than kMaxAdmissionWait, is closed and costs no turn.
//
// Times are monotonic. Thread safety: confined to the acceptor's thread.
#ifndef KEYFERRY_RPC_ADMISSION_H_
#define KEYFERRY_RPC_ADMISSION_H_

#include <deque>
#include <optional>

#include "absl/time/time.h"
#include "libs/rpc/socket.h"

namespace keyferry {

// That come in at once after a quiet time.
inline constexpr int kAdmissionBurst = 8;
// No peer waits so long for a handshake.
inline constexpr absl::Duration kMaxAdmissionWait = absl::Seconds(10);

class Admission {
 public:
  // 0: all come in at once.
  explicit Admission(int per_second) : per_second_(per_second) {}

  void Arrive(Descriptor connection, absl::Duration now);
  // nullopt: none may come in now.
  std::optional<Descriptor> Next(absl::Duration now);
  // Until Next may answer one; infinite when none waits.
  absl::Duration UntilNext() const;

 private:
  struct Waiting {
    Descriptor connection;
    absl::Duration since;
  };

  void Earn(absl::Duration now);

  const int per_second_;
  double turns_ = kAdmissionBurst;
  absl::Duration earned_;
  std::deque<Waiting> waiting_;
};

}  // namespace keyferry

#endif  // KEYFERRY_RPC_ADMISSION_H_

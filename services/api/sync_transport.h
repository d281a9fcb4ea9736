// The stream under a session, seen from above: the seam between the protocol and gRPC.
#ifndef KEYFERRY_SERVICES_API_SYNC_TRANSPORT_H_
#define KEYFERRY_SERVICES_API_SYNC_TRANSPORT_H_

#include "absl/status/status.h"

namespace keyferry {

namespace v1 {
class ApiMessage;
}

class SyncTransport {
 public:
  virtual ~SyncTransport() = default;
  // Queues a copy; never blocks. RegionSession::Sent follows each, once it is written.
  virtual void Send(const v1::ApiMessage& message) = 0;
  // Called once, last: ends the stream after what was queued.
  virtual void Finish(absl::Status status) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SYNC_TRANSPORT_H_

// SyncStream: one Provisioning.Sync stream, from the client's side, without meaning: it queues what is sent and bounds
// what was received and not taken. Nothing of it is destroyed, and nothing blocks, on gRPC's threads.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_SYNC_STREAM_H_
#define KEYFERRY_SERVICES_PROVISIONER_SYNC_STREAM_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"

namespace grpc {
class Channel;
}

namespace keyferry {

namespace v1 {
class ApiMessage;
class ProvisionerMessage;
}  // namespace v1

class SyncStream {
 public:
  // Both run on gRPC's threads and may only hand over.
  struct Events {
    // Something can be taken.
    std::function<void()> on_readable;
    // The last call; hands the stream itself back, to be dropped on another thread.
    std::function<void(std::shared_ptr<SyncStream>, absl::Status)> on_done;
  };

  // The stream keeps itself alive until on_done.
  static std::shared_ptr<SyncStream> Start(std::shared_ptr<grpc::Channel> channel, Events events);
  virtual ~SyncStream() = default;

  // In order; dropped once the stream broke.
  virtual void Send(v1::ProvisionerMessage message) = 0;
  // What arrived so far, in order, and makes room for more.
  virtual std::vector<v1::ApiMessage> Take() = 0;
  // No Send follows: after what is queued the API is told that we are through; it then ends the stream.
  virtual void FinishSending() = 0;
  virtual void Cancel() = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_SYNC_STREAM_H_

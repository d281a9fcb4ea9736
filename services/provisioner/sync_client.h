// SyncClient: keeps one provisioning stream to the API open, for as long as it lives, and lets the reconciler do what
// the API asks for (docs/provisioning-protocol.md). Events are worked off in the order they came, in groups, and each
// is answered with one ack.
//
// 1. The stream's messages are handled while the reconciler runs: heartbeats go on while a sink is slow.
// 2. A channel is made for each attempt and dropped on the executor, never on gRPC's threads.
// 3. Nothing is remembered over streams but what the region's store holds.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_SYNC_CLIENT_H_
#define KEYFERRY_SERVICES_PROVISIONER_SYNC_CLIENT_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "libs/common/executor.h"
#include "libs/common/limits.h"
#include "services/provisioner/reconciler.h"
#include "services/provisioner/region_store.h"

namespace grpc {
class Channel;
}

namespace keyferry {

// Tests shorten them.
struct SyncTimings {
  absl::Duration progress = absl::Seconds(10);
  // An API that says nothing for so long, while we listen, is taken for dead; it sends a bookmark every 10 s.
  absl::Duration silence = absl::Seconds(45);
  absl::Duration min_first_retry = absl::Milliseconds(100);
  absl::Duration max_first_retry = absl::Milliseconds(500);
  absl::Duration min_retry = absl::Seconds(1);
  absl::Duration max_retry = absl::Seconds(30);
  absl::Duration check_sinks = absl::Seconds(30);
};

struct SyncClientOptions {
  std::string region;
  std::string provisioner_id;
  // Of the region's keys, the current one first. Hello names the first; when the API does not know it, the next
  // stream's names the next.
  std::function<std::vector<std::string>()> sealing_key_ids;
  std::string version;
  std::function<std::shared_ptr<grpc::Channel>()> new_channel;
  RegionStore& store;
  Reconciler& reconciler;
  Executor& executor;
  // Lost at start already; reported to the API.
  std::vector<ObjectId> drifted;
  SyncTimings timings = {};
  // One at a time, must not block: the stream owns the region under this sealing key; nullopt: it does no
  // more.
  std::function<void(std::optional<std::string> sealing_key_id)> on_owned = [](const std::optional<std::string>&) {};
};

class SyncClient {
 public:
  // Dials at once. What options refers to outlives the client.
  static std::unique_ptr<SyncClient> Start(SyncClientOptions options);
  // As Stop with no patience.
  virtual ~SyncClient() = default;
  // Finishes what is in flight, acks it and ends the stream, all within `patience`. Returns when the reconciler is no
  // longer used.
  virtual void Stop(absl::Duration patience) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_SYNC_CLIENT_H_

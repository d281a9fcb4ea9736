// The network between provisioners and the API: streams that keep their order and lose nothing but their end, over
// links that are slow, blocked in one direction or both, and cut, with neither, one or both ends hearing of it. The
// API's end is a SyncTransport under a RegionSession, the other a SyncStream under a SyncClient.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_SIM_NETWORK_H_
#define KEYFERRY_TESTS_SIMULATION_SIM_NETWORK_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "keyferry/v1/provisioning.pb.h"
#include "services/api/caller.h"
#include "services/api/sync_transport.h"
#include "services/provisioner/sync_stream.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/scheduler.h"

namespace keyferry {

class RegionSession;
class SimStream;

// From one machine to the API's.
struct Link {
  std::string name;
  // As its certificate says.
  Caller caller;
  absl::Duration to_api_blocked_until;
  absl::Duration from_api_blocked_until;
  absl::Duration slow_until;
  // The next message with events is the last that its stream carries.
  bool cut_in_batch = false;
  int stream_count = 0;
};

enum class Told : uint8_t { kBoth, kClientOnly, kApiOnly };

class SimNetwork {
 public:
  struct Options {
    Scheduler& scheduler;
    FaultCounts& faults;
    Bug bug = Bug::kNone;
    // The API's process, which may be dead; nullptr: none was ever started.
    std::function<Process*()> api;
    std::function<absl::StatusOr<std::shared_ptr<RegionSession>>(const Caller&, std::shared_ptr<SyncTransport>)> accept;
    // What the API says, when it says it.
    std::function<void(const Link&, int stream, const v1::ApiMessage&)> on_said;
  };
  explicit SimNetwork(Options options);
  ~SimNetwork();

  // SyncStream::Start is about to be called by this process, over this link.
  void Dials(Process& client, Link& link);
  std::shared_ptr<SyncStream> Start(SyncStream::Events events);

  // Breaks every stream of the link.
  void Cut(Link& link, Told told);
  // Silently: its machine lost its power, and no packet tells of it.
  void Died(const Process& process, bool silently);

  static SimNetwork* Instance();

 private:
  friend class SimStream;
  std::vector<std::shared_ptr<SimStream>> Open(const Link& link);

  const Options options_;
  Process* dialling_ = nullptr;
  Link* dialled_ = nullptr;
  std::vector<std::shared_ptr<SimStream>> streams_;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_SIM_NETWORK_H_

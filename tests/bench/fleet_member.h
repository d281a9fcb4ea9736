// One provisioner of a fleet: one Sync stream that owns its region and answers in the fleet's manner.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_TESTS_BENCH_FLEET_MEMBER_H_
#define KEYFERRY_TESTS_BENCH_FLEET_MEMBER_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "keyferry/v1/provisioning.pb.h"
#include "services/provisioner/sync_stream.h"
#include "tests/bench/fleet.h"

namespace grpc {
class Channel;
}

namespace keyferry {

// What all members count, and whom they wake.
struct FleetTally {
  std::atomic<int> connected = 0, synced = 0;
  std::atomic<FleetManner> manner = FleetManner::kReady;
  std::atomic<int64_t> events = 0, batches = 0, payload_bytes = 0, resyncs = 0, ended = 0;
  std::mutex mutex;
  std::condition_variable changed;

  void Wake() {
    std::lock_guard lock(mutex);
    changed.notify_all();
  }
};

class FleetMember : public std::enable_shared_from_this<FleetMember> {
 public:
  // The tally outlives it.
  FleetMember(FleetTally& tally, v1::Hello hello);

  void Start(std::shared_ptr<grpc::Channel> channel);
  void Beat();
  void Cancel();
  // Once it has ended: it and its stream keep each other alive.
  void Drop();
  bool has_ended() const { return has_ended_; }
  bool is_synced() const { return is_synced_; }
  // Why it ended.
  absl::Status status() const;

 private:
  void Hear();
  void HearAll();
  void Acknowledge(const v1::EventBatch& batch);
  void Ended(std::shared_ptr<SyncStream> stream, const absl::Status& status);

  FleetTally& tally_;
  const v1::Hello hello_;
  std::shared_ptr<SyncStream> stream_;
  mutable std::mutex mutex_;
  // Kept until Drop: it must not end on gRPC's thread.
  std::shared_ptr<SyncStream> ended_stream_;
  absl::Status status_;
  std::atomic<bool> is_owner_ = false;
  std::atomic<bool> is_synced_ = false;
  std::atomic<bool> has_ended_ = false;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_BENCH_FLEET_MEMBER_H_

// Reconciler: makes the region hold what events ask for. For each event it judges (region_rule.h), opens every value,
// shows the object in every sink, reads it back, commits the sealed object to the region's store, and only then says
// READY.
//
// 1. READY: the store holds it durably, every value opened, every sink showed exactly it when it was read back.
// 2. After FAILED the region goes on holding and showing what it held before.
// 3. One bad object fails alone. Messages of failures hold no byte of a value.
// 4. Absence deletes nothing, except Sweep.
//
// Thread safety: confined to one thread (or strand). Store, keys and sinks outlive it.
#ifndef KEYFERRY_SERVICES_PROVISIONER_RECONCILER_H_
#define KEYFERRY_SERVICES_PROVISIONER_RECONCILER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/common/log.h"
#include "services/provisioner/region_keys.h"
#include "services/provisioner/region_store.h"
#include "services/provisioner/sink.h"

namespace keyferry {

// What became of one event: the content of its ack.
struct Settlement {
  ObjectId id;
  // What the region holds; after a failure what was asked for.
  std::string uid;
  uint64_t revision = 0;
  std::string digest;
  AckResult result = AckResult::kReady;
  // kFailed: BAD_PAYLOAD, CANNOT_OPEN, DIGEST_MISMATCH, BELOW_FLOOR, SINK_FULL, SINK_ERROR, STORE_ERROR.
  std::string error_reason;
  std::string error_message;
  // No retry of this revision helps.
  bool permanent = false;
};

class Reconciler {
 public:
  struct Options {
    RegionStore& store;
    const RegionKeys& keys;
    std::vector<Sink*> sinks;
    // Called for each object whose committed content changed. May be empty.
    std::function<void(const ObjectId&)> on_change;
  };
  explicit Reconciler(Options options) : options_(std::move(options)) {}

  // Events (no kRetain) as their stream had them; settlements in the same order. What can be is committed together.
  std::vector<Settlement> Apply(std::vector<RegionObject> events);
  // Whether exactly this is held, or something newer (kRetain).
  bool Holds(const ObjectId& id, const ObjectVersion& version) const;

  // After a complete full resync: deletes what `seen` answers false for and what is not newer than as_of_revision, and
  // leaves tombstones with that revision. FailedPrecondition: that would be more than kMaxSweepFraction of the objects,
  // taken literally, so that of fewer than ten none goes; nothing was deleted, and the message names the operator's
  // command.
  absl::StatusOr<size_t> Sweep(const std::function<bool(const ObjectId&)>& seen, uint64_t as_of_revision,
                               bool allow_mass_delete);

  // At start: every sink shows what the store holds and nothing else. Answers what could not be shown.
  absl::StatusOr<std::vector<ObjectId>> FillSinks();
  // Checks the next `count` objects in every sink, round and round, and repairs from the store. Answers what could not
  // be repaired.
  absl::StatusOr<std::vector<ObjectId>> CheckSinks(size_t count);

 private:
  struct Group;
  std::optional<Settlement> Prepare(RegionObject& event, Group& group);
  void CommitGroup(Group& group, std::vector<Settlement>& settlements);
  absl::Status Show(const RegionObject& object);
  absl::Status EnsureShown(const RegionObject& object, Severity repair_severity);
  absl::Status Hide(const ObjectId& id);
  void ShowAsStored(const ObjectId& id);
  absl::Status RemoveUnknown(Sink& sink);
  absl::Status SweepAll(const std::vector<RegionObject>& unseen, uint64_t as_of_revision);

  const Options options_;
  // Where CheckSinks goes on.
  std::optional<ObjectId> checked_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_RECONCILER_H_

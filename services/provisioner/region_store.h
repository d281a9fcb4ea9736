// RegionStore: what one region holds, durably: each object's sealed bytes as they came, or a tombstone. Its own
// RocksDB; no plaintext and no key that opens anything gets here.
//
// 1. Compare-and-apply: an object changes only as region_rule.h allows; the comparison and the write are one step.
// 2. What a method has returned for is on disk. A write that fails aborts the process: its outcome is unknown, recovery
// decides.
// 3. Tombstones stay until the settled floor rises past them; the floor is durable before the first of them goes.
// 4. The target incarnation names this data. It is new with an empty directory, and also when the recovered store ends
// before its commit watermark: the region may then hold less than it acked, and only a new incarnation makes the API
// doubt every READY of this region and send everything again. What was recovered is kept meanwhile, so that agents
// still start.
// 5. Rows carry a check, and the meta row says what all checks add up to, since RocksDB can lose a table without an
// error. When either does not fit, Open refuses; moving the directory away mends it, at the price of a full resync.
//
// Thread safety: all methods from any thread; Commit and RaiseFloor run one after another.
#ifndef KEYFERRY_SERVICES_PROVISIONER_REGION_STORE_H_
#define KEYFERRY_SERVICES_PROVISIONER_REGION_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/model/placement.h"
#include "services/provisioner/region_rule.h"

namespace keyferry {

struct RegionObject {
  ObjectId id;
  // 32 hex digits.
  std::string uid;
  ObjectVersion version;
  // Serialized SealedObject; empty in a tombstone.
  std::string sealed_object;
};

struct RegionMeta {
  // 16 bytes.
  std::string target_incarnation;
  uint64_t max_revision_seen = 0;
  uint64_t settled_floor = 0;
};

class RegionStore {
 public:
  // `directory` is created (0700) when missing; its parent is not. FailedPrecondition: it belongs to another region, or
  // another process has it open. DataLoss: damaged. Unavailable: the disk.
  static absl::StatusOr<std::unique_ptr<RegionStore>> Open(const std::string& directory, const std::string& region);
  virtual ~RegionStore() = default;

  // nullopt: unknown. Tombstones are found. DataLoss when the row is damaged.
  virtual absl::StatusOr<std::optional<RegionObject>> Get(const ObjectId& id) const = 0;
  // Every object and tombstone in order of id, from the one after `after` on, as of one moment, until `visit` answers
  // false.
  virtual absl::Status ForEach(const std::optional<ObjectId>& after,
                               const std::function<bool(const RegionObject&)>& visit) const = 0;
  // Objects, without tombstones.
  virtual size_t object_count() const = 0;
  virtual RegionMeta meta() const = 0;

  // Applies each change that the rule allows, all in one synced batch; answers the verdicts in order. REQUIRES: ids are
  // distinct, no operation is kRetain.
  virtual absl::StatusOr<std::vector<Verdict>> Commit(const std::vector<RegionObject>& changes) = 0;
  // No-op when it is not above the present floor.
  virtual absl::Status RaiseFloor(uint64_t settled_floor) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_REGION_STORE_H_

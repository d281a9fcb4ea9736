// One full resync of a region: every placement in key order, and the count and hash that let the region sweep what it did not see.
//
// Thread safety: confined to the session's strand.
#ifndef KEYFERRY_SERVICES_API_FULL_RESYNC_H_
#define KEYFERRY_SERVICES_API_FULL_RESYNC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/model/object_hash.h"
#include "services/api/placement_scan.h"

namespace keyferry {

// A flawed one is begun again after so long, and after twice that each further time.
inline constexpr absl::Duration kMinResyncDelay = absl::Seconds(30);
inline constexpr absl::Duration kMaxResyncDelay = absl::Minutes(10);

class FullResync {
 public:
  // state_revision: of the RegionState row that asked for it.
  FullResync(const Store& store, const std::string& region, uint64_t as_of_revision, Revision state_revision, bool allow_mass_delete,
             std::string sync_id)
      : as_of_revision(as_of_revision), state_revision(state_revision), allow_mass_delete(allow_mass_delete),
        sync_id(std::move(sync_id)), scan_(PlacementScan::OfAll(store, region)) {}

  absl::StatusOr<std::vector<ObjectId>> Next(size_t limit) { return scan_.Next(limit); }
  bool at_end() const { return scan_.at_end(); }
  // An event of it was sent.
  void Count(const ObjectId& object) {
    ++object_count_;
    object_hash_ += ObjectHash(object);
  }

  uint64_t object_count() const { return object_count_; }
  uint64_t object_hash() const { return object_hash_; }

  const uint64_t as_of_revision;
  const Revision state_revision;
  const bool allow_mass_delete;
  const std::string sync_id;
  // Every placement was handed out; SyncEnd was sent; the region has worked it off; the commit that records it is under way.
  bool walked = false;
  bool ended = false;
  bool done = false;
  bool recording = false;
  // Something of it could not be read: it must not end, nor be recorded. When to begin again, once it is walked; monotonic.
  bool flawed = false;
  std::optional<absl::Duration> again_at;

 private:
  PlacementScan scan_;
  uint64_t object_count_ = 0;
  uint64_t object_hash_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_FULL_RESYNC_H_

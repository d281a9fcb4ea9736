// Resync: what one stream has shown of a full resync so far. Pure; ids are kept as 16 bytes of their SHA-256.
//
// Thread safety: confined to one thread (or strand).
#ifndef KEYFERRY_SERVICES_PROVISIONER_RESYNC_H_
#define KEYFERRY_SERVICES_PROVISIONER_RESYNC_H_

#include <cstdint>
#include <string>
#include <unordered_set>

#include "absl/status/status.h"
#include "libs/model/placement.h"

namespace keyferry {

class Resync {
 public:
  struct End {
    std::string sync_id;
    uint64_t as_of_revision = 0;
    uint64_t object_count = 0;
    uint64_t object_hash = 0;
  };

  // Forgets any earlier one.
  void Begin(const std::string& sync_id, uint64_t as_of_revision);
  // Each object counts once. No-op unless sync_id is that of the resync under way.
  void Saw(const std::string& sync_id, const ObjectId& object);
  bool HasSeen(const ObjectId& object) const;
  // Ends it. FailedPrecondition: it was not this one, or something is missing; then nothing may be swept.
  absl::Status Finish(const End& end);

 private:
  std::string sync_id_;
  uint64_t as_of_revision_ = 0;
  std::unordered_set<std::string> seen_;
  uint64_t hash_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_RESYNC_H_

// The rule that keeps a region safe whatever the stream does (docs/provisioning-protocol.md, tests/model): an event
// counts only when its revision is not below the one that the region holds, tombstones hold revisions too, and what is
// unknown at or below the settled floor was deleted for good.
//
// Thread safety: a pure function.
#ifndef KEYFERRY_SERVICES_PROVISIONER_REGION_RULE_H_
#define KEYFERRY_SERVICES_PROVISIONER_REGION_RULE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "libs/model/placement.h"

namespace keyferry {

// What an event wants, or what the region holds (operation kDelete: a tombstone; never kRetain).
struct ObjectVersion {
  uint64_t revision = 0;
  Operation operation = Operation::kApply;
  // SHA-256 over the sealed object; of a kDelete whatever its event said.
  std::string digest;
};

enum class Verdict : uint8_t {
  // Newer: open and apply it, or delete and keep a tombstone.
  kApply,
  kDelete,
  // The region holds exactly this already.
  kDuplicate,
  // Older than what the region holds: changes nothing.
  kStale,
  // Unknown and at or below the floor, a zombie's event: changes nothing, only a new revision can win.
  kBelowFloor,
  // The same revision with other content: one of both ends is wrong.
  kConflict,
  // kRetain: held as it should be, or newer.
  kRetained,
  // kRetain: not held.
  kMissing,
};

Verdict Judge(const ObjectVersion& wanted, const std::optional<ObjectVersion>& held, uint64_t settled_floor);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_REGION_RULE_H_

// RegionReseal: when a region's sealing key has changed, seals again what the region holds, from the escrowed data
// keys, object by object, and has it delivered anew; then the previous keys go from the region's row.
// docs/adr/2026-11-23-region-key-rotation.md says why so.
//
// Invariants:
//   R1  An object's new boxes are made from its own stored rows alone: its organization, its set, its region's present
//   key. Nothing that a call
//       said goes in.
//   R2  Rows and placement of an object change in one commit: its region proves the new bytes, and until then it is
//   pending. R3  A previous key leaves the region's row only when no retained generation and no deployment of the
//   region is sealed to it.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_REGION_RESEAL_H_
#define KEYFERRY_SERVICES_API_REGION_RESEAL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/api/use_case.h"

namespace keyferry {

struct RegionResealProgress {
  std::string region;
  absl::Time begin_time;
  // Objects looked at, and those that were sealed again, since it began.
  int64_t visited_count = 0;
  int64_t moved_count = 0;
  // Objects without an escrowed data key (of a blind region): only a new write of all their values moves them.
  int64_t blocked_count = 0;
};

class RegionReseal {
 public:
  // All of deps outlives it and the executor's work.
  static std::unique_ptr<RegionReseal> Create(const UseCaseDeps& deps);
  virtual ~RegionReseal() = default;

  // Begins with every region that has previous sealing keys, and from now on with each that gets one: whoever changes a
  // sealing key puts the old one into the region's previous_sealing_keys in the same commit, and need not call. A key
  // that changes again meanwhile begins anew. Once, when the process serves.
  virtual void Start() = 0;
  // Looks at this region now, also when it waits for somebody to write what is blocked. Returns at once.
  virtual void Begin(const std::string& region) = 0;

  // What runs, in order of region.
  virtual std::vector<RegionResealProgress> Running() const = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_RESEAL_H_

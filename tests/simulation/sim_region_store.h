// A provisioner's store over a simulated disk: the product's rows (region_rows.h) and rule (region_rule.h), each commit
// synced before it returns; the process may end in the midst of one. Recovery as region_store.h says: a disk that lost
// its tail gets a new incarnation.
//
// Thread safety: all of it belongs to one thread.
#ifndef KEYFERRY_TESTS_SIMULATION_SIM_REGION_STORE_H_
#define KEYFERRY_TESTS_SIMULATION_SIM_REGION_STORE_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/provisioner/region_rows.h"
#include "services/provisioner/region_store.h"
#include "tests/simulation/faults.h"

namespace keyferry {

// What survives the process.
struct RegionDisk {
  std::map<std::string, std::string> rows;
  // As it was some commits ago.
  std::map<std::string, std::string> older_rows;
  // It came back older than its watermark says.
  bool tail_lost = false;
  // For a planted bug: what is really synced.
  std::map<std::string, std::string> synced_rows;
};

class SimRegionStore final : public RegionStore {
 public:
  struct Options {
    RegionDisk& disk;
    std::string region;
    Bug bug = Bug::kNone;
    // Before a commit and after it; may throw ProcessEnded.
    std::function<void()> before_commit;
    std::function<void()> after_commit;
    // Objects that changed, once they are durable.
    std::function<void(const std::vector<ObjectId>&)> on_change;
  };
  explicit SimRegionStore(Options options);

  absl::StatusOr<std::optional<RegionObject>> Get(const ObjectId& id) const override;
  absl::Status ForEach(const std::optional<ObjectId>& after,
                       const std::function<bool(const RegionObject&)>& visit) const override;
  size_t object_count() const override;
  RegionMeta meta() const override { return meta_row_.meta; }
  absl::StatusOr<std::vector<Verdict>> Commit(const std::vector<RegionObject>& changes) override;
  absl::Status RaiseFloor(uint64_t settled_floor) override;

 private:
  void Write(const std::map<std::string, std::optional<std::string>>& batch);

  const Options options_;
  MetaRow meta_row_;
  int commit_count_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_TESTS_SIMULATION_SIM_REGION_STORE_H_

// Regions: what operators do to them and see of them.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_REGIONS_H_
#define KEYFERRY_SERVICES_API_REGIONS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/storage/codec.h"
#include "services/api/region_directory.h"
#include "services/api/transaction.h"

namespace keyferry {

struct NamedRegion {
  std::string code;
  RegionRow row;
};

struct RegionHealth {
  // The owner first.
  std::vector<SessionSummary> provisioners;
  // Counted up to kMaxUnsettledCounted.
  int64_t pending_count = 0;
  absl::Duration oldest_pending_age;
};

struct ResyncOptions {
  bool allow_mass_delete = false;
  bool retry_failed = false;
};

class Regions {
 public:
  // All outlive it.
  static std::unique_ptr<Regions> Create(const Writer& writer, const Clock& clock, RegionDirectory& directory);
  virtual ~Regions() = default;

  // Without a sealing key the first enrollment brings it. AlreadyExists: REGION_EXISTS. InvalidArgument: INVALID_REGION, INVALID_SEALING_KEY.
  virtual void Make(const std::string& code, RegionRow row, std::function<void(absl::StatusOr<NamedRegion>)> done) = 0;
  // In order of code.
  virtual absl::StatusOr<std::vector<NamedRegion>> List() = 0;
  // NotFound: REGION_NOT_FOUND.
  virtual absl::StatusOr<NamedRegion> Find(const std::string& code) = 0;
  virtual absl::StatusOr<RegionHealth> HealthOf(const std::string& code) = 0;
  // Durable before it is answered, with the number of placements that were given a new revision. NotFound: REGION_NOT_FOUND.
  virtual void Resync(const std::string& code, const ResyncOptions& options, std::function<void(absl::StatusOr<int64_t>)> done) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGIONS_H_

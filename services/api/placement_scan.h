// Bounded reads over one region's placements and their indexes.
//
// Thread safety: confined to the session's strand.
#ifndef KEYFERRY_SERVICES_API_PLACEMENT_SCAN_H_
#define KEYFERRY_SERVICES_API_PLACEMENT_SCAN_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/model/placement.h"
#include "libs/storage/store.h"

namespace keyferry {

// Objects in the order of an index or of keys; resumes where it ended.
class PlacementScan {
 public:
  // The store outlives the scan.
  static PlacementScan OfPending(const Store& store, const std::string& region, const std::optional<RowKey>& low_water);
  static PlacementScan OfDueRetries(const Store& store, const std::string& region, absl::Time now);
  // Those that a clock which has gone back since put beyond kMaxRetryDelay; they are due too.
  static PlacementScan OfStrandedRetries(const Store& store, const std::string& region, absl::Time now);
  static PlacementScan OfAll(const Store& store, const std::string& region);

  // At most limit of them; empty: nothing more, for now. A row that is damaged is handed out too: its key is known.
  absl::StatusOr<std::vector<ObjectId>> Next(size_t limit);
  // Whether there was nothing more behind the last page, which need not be empty.
  bool at_end() const { return at_end_; }

 private:
  enum class Of : uint8_t { kPending, kRetries, kAll };
  PlacementScan(const Store& store, Of of, RowKey begin, std::string end)
      : store_(&store), of_(of), begin_(std::move(begin)), end_(std::move(end)) {}
  absl::StatusOr<std::vector<ObjectId>> NextDamaged(const absl::Status& damage);
  std::optional<ObjectId> ObjectIn(const RowKey& key) const;

  const Store* store_;
  Of of_;
  RowKey begin_;
  std::string end_;
  bool at_end_ = false;
};

// What is not settled, by its indexes. The count stops at kMaxUnsettledCounted.
struct Unsettled {
  int64_t count = 0;
  // In the given lineage; nullopt: none.
  std::optional<uint64_t> lowest_revision;
  ObjectId lowest_object;
  // Too many retries to know the lowest revision.
  bool unknown_floor = false;
  // No pending entry is below this key, nor will be.
  RowKey low_water;
};
inline constexpr size_t kMaxUnsettledCounted = 10'000;

absl::StatusOr<Unsettled> SurveyUnsettled(const Store& store, const std::string& region, const std::optional<RowKey>& low_water,
                                          uint64_t lineage);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_PLACEMENT_SCAN_H_

// Anti-entropy: compares what the region says it holds with what it proved, by the hashes of 256 buckets, then object by object in the
// buckets that differ.
//
// Thread safety: confined to the region's strand. Create as a shared_ptr.
#ifndef KEYFERRY_SERVICES_API_INVENTORY_AUDIT_H_
#define KEYFERRY_SERVICES_API_INVENTORY_AUDIT_H_

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "libs/model/object_hash.h"
#include "services/api/feed_settings.h"
#include "services/api/placement_scan.h"

namespace keyferry {

namespace v1 {
class Inventory;
}

inline constexpr size_t kMaxBucketsAsked = 16;
inline constexpr size_t kMaxInventoryEntries = 200'000;

class InventoryAudit : public std::enable_shared_from_this<InventoryAudit> {
 public:
  struct Findings {
    // READY before the audit began, and not held at that revision now.
    std::function<void(std::vector<ObjectId>)> lost;
    // Held, and placed nowhere; at most kMaxSweepFraction of what the region holds.
    std::function<void(std::vector<ObjectId>)> stray;
  };
  InventoryAudit(const FeedSettings& settings, Findings findings);

  // Starts over when one is under way.
  void Begin();
  void Received(const v1::Inventory& inventory);
  void Stop();
  // Reads all that is placed in the region; in the background.
  bool walking() const { return step_ == Step::kHash || step_ == Step::kCompare; }

 private:
  enum class Step : uint8_t { kIdle, kAwaitHashes, kHash, kAwaitEntries, kCompare };
  void Walk(Step step);
  void WalkPage(int run);
  void Hash(const ObjectId& object);
  void Compare(const ObjectId& object);
  void Hashed();
  void Compared();
  void AskForBuckets();
  void ReportStrays();
  // The revision that the object was proved at; nullopt unless READY.
  std::optional<uint64_t> ReadySince(const ObjectId& object, absl::Time latest) const;

  const FeedSettings settings_;
  Findings findings_;
  Step step_ = Step::kIdle;
  // Tells pages of an audit that was given up from those of the present one.
  int run_ = 0;
  absl::Time begin_time_;
  std::optional<PlacementScan> scan_;
  std::array<uint64_t, kInventoryBuckets> ours_{};
  std::array<uint64_t, kInventoryBuckets> theirs_{};
  std::vector<int> to_ask_;
  std::set<int> asked_;
  std::map<ObjectId, uint64_t> entries_;
  std::vector<ObjectId> lost_;
  std::vector<ObjectId> strays_;
  size_t placed_count_ = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_INVENTORY_AUDIT_H_

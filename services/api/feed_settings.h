// What a feed and its parts share: the region they serve, and where their results go.
#ifndef KEYFERRY_SERVICES_API_FEED_SETTINGS_H_
#define KEYFERRY_SERVICES_API_FEED_SETTINGS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "libs/common/clock.h"
#include "libs/common/executor.h"
#include "services/api/transaction.h"

namespace keyferry {

namespace v1 {
class AckBatch;
class ApiMessage;
class Inventory;
class SyncDone;
}  // namespace v1

// Since the process began. Any thread.
struct ProvisioningCounters {
  std::atomic<int64_t> events{0};
  std::atomic<int64_t> redeliveries{0};
  std::atomic<int64_t> stale_acks{0};
  std::atomic<int64_t> unknown_acks{0};
  std::atomic<int64_t> digest_mismatches{0};
  std::atomic<int64_t> touches{0};
  std::atomic<int64_t> resyncs{0};
  std::atomic<int64_t> takeovers{0};
};

// Outlives the sessions of its region.
struct RegionMemory {
  ProvisioningCounters counters;
  // No pending entry is below it. Confined to the region's strand.
  std::optional<RowKey> low_water;
};

// A store that was put back may lack the last lineage; a claim above the next one is a defective or hostile region.
inline constexpr uint64_t kMaxLineagesAhead = 1;

// Died: perhaps of what was in flight.
enum class Ending : uint8_t { kOrderly, kDied };

struct FeedSettings {
  Writer writer;
  const Clock& clock;
  // As in OwnershipSettings.
  Executor* prompt = nullptr;
  std::shared_ptr<Strand> strand;
  std::shared_ptr<RegionMemory> memory;
  std::string region;
  // The provisioner's SPIFFE id: its deliveries are recorded.
  std::string principal;
  std::string target_incarnation;
  uint64_t epoch = 0;
  size_t max_objects = 0;
  size_t max_bytes = 0;
  // 0 to 1. Any thread.
  std::function<double()> random;
  // Called on the strand.
  std::function<void(const v1::ApiMessage&)> send;
  std::function<void(absl::Status, Ending)> fail;
  // The region knows this revision, which is above the head.
  std::function<void(uint64_t revision)> rewound;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_FEED_SETTINGS_H_

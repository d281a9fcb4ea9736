// Collects what system_status.h judges and the metrics show: of regions, keys, backups, disk and certificates.
//
// Thread safety: all methods from any thread; they read the store and ask the root key's provider, which may block for 3 s.
#ifndef KEYFERRY_SERVICES_API_FACT_COLLECTOR_H_
#define KEYFERRY_SERVICES_API_FACT_COLLECTOR_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/crypto/root_keys.h"
#include "libs/storage/barrier.h"
#include "services/api/audit_trail.h"
#include "services/api/backups.h"
#include "services/api/regions.h"
#include "services/api/system_status.h"

namespace keyferry {

// All of it outlives the collector and the handle of ShowFacts.
struct FactSources {
  const Clock& clock;
  Regions& regions;
  const Barrier& barrier;
  RootKeys& root_keys;
  const StoredAuditTrail& audit;
  // Null: none are made.
  const Backups* backups = nullptr;
  absl::Duration backup_interval;
  std::string data_directory;
  // PEM files; empty: there is no such door.
  std::string inner_certificate;
  std::string edge_certificate;
};

struct CollectedFacts {
  SystemFacts facts;
  int64_t organization_count = 0;
  std::optional<BackupManifest> last_backup;
  absl::Time oldest_key_time = absl::InfiniteFuture();
  AuditTrailHealth audit;
};

// The store's errors.
absl::StatusOr<CollectedFacts> CollectFacts(const FactSources& sources);

// Gauges of these facts, filled at each scrape while the handle lives.
[[nodiscard]] std::shared_ptr<void> ShowFacts(FactSources sources);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_FACT_COLLECTOR_H_

// What is measured of regions; docs/metrics.md.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_API_REGION_METRICS_H_
#define KEYFERRY_SERVICES_API_REGION_METRICS_H_

#include <memory>
#include <string>

#include "absl/time/time.h"

namespace keyferry {

class Regions;

// The region has proved an object that was pending for so long.
void CountReady(const std::string& region, absl::Duration pending);
// Objects were sent to the region; those of a full resync beside.
void CountSent(const std::string& region, int64_t change_count, int64_t resync_count);
// Objects were sent once more because the region said nothing of them for too long.
void CountResent(const std::string& region, int64_t count);

// Gauges of each region, filled at each scrape while the handle lives: backlog, provisioners, certificates. The regions outlive it.
[[nodiscard]] std::shared_ptr<void> ShowRegions(Regions& regions);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_METRICS_H_

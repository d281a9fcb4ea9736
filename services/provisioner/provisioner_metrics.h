// What is measured of a provisioner; docs/metrics.md.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_PROVISIONER_METRICS_H_
#define KEYFERRY_SERVICES_PROVISIONER_PROVISIONER_METRICS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/time/time.h"

namespace keyferry {

// A group of events was worked off.
void CountApplied(int64_t ready_count, int64_t failed_count, absl::Duration took);
// The stream: whether there is one, and whether it owns the region.
void ShowStream(bool connected, bool active);
void CountRenewal(bool renewed);

struct ProvisionerGauges {
  std::function<int64_t()> object_count;
  // nullopt: not known.
  std::function<std::optional<absl::Time>()> certificate_expiry;
};
// Filled at each scrape while the handle lives.
[[nodiscard]] std::shared_ptr<void> ShowProvisioner(ProvisionerGauges gauges);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_PROVISIONER_METRICS_H_

#include "services/api/region_metrics.h"

#include <algorithm>

#include "libs/metrics/metrics.h"
#include "services/api/regions.h"

namespace keyferry {
namespace {

struct Gauges {
  GaugeFamily pending{"keyferry_region_pending_objects", "Sets and deployments that the region has not proved yet; counted up to 10,000."};
  GaugeFamily oldest{"keyferry_region_oldest_pending_seconds", "For how long the oldest of them is pending."};
  GaugeFamily provisioners{"keyferry_region_provisioners", "Provisioners with an open stream, by role: active or standby."};
  GaugeFamily certificate{"keyferry_region_certificate_expiry_timestamp_seconds",
                          "When the first certificate of a connected provisioner expires, Unix time."};

  void Show(const std::string& region, const RegionHealth& health) {
    const MetricLabels labels{{"region", region}};
    pending.Set(labels, static_cast<double>(health.pending_count));
    oldest.Set(labels, absl::ToDoubleSeconds(health.oldest_pending_age));
    const auto active = std::count_if(health.provisioners.begin(), health.provisioners.end(), [](const SessionSummary& each) { return each.active; });
    provisioners.Set({{"region", region}, {"role", "active"}}, static_cast<double>(active));
    provisioners.Set({{"region", region}, {"role", "standby"}}, static_cast<double>(health.provisioners.size()) - static_cast<double>(active));
    absl::Time first = absl::InfiniteFuture();
    for (const SessionSummary& each : health.provisioners) first = std::min(first, each.certificate_expiry);
    if (first != absl::InfiniteFuture()) {
      certificate.Set(labels, static_cast<double>(absl::ToUnixSeconds(first)));
    } else {
      certificate.Remove(labels);
    }
  }
};

}  // namespace

void CountReady(const std::string& region, absl::Duration pending) {
  static HistogramFamily histogram("keyferry_region_ready_seconds", "From the write of a set or deployment to the region's proof that it holds it.",
                                   SecondsBuckets());
  histogram.Observe({{"region", region}}, absl::ToDoubleSeconds(pending));
}

void CountSent(const std::string& region, int64_t change_count, int64_t resync_count) {
  static CounterFamily sent("keyferry_region_sent_objects_total",
                            "Sets and deployments, and deletes of them, that were sent to the region, by cause: change or resync.");
  sent.Add({{"region", region}, {"cause", "change"}}, static_cast<double>(change_count));
  sent.Add({{"region", region}, {"cause", "resync"}}, static_cast<double>(resync_count));
}

void CountResent(const std::string& region, int64_t count) {
  static CounterFamily resent("keyferry_region_resent_objects_total", "Objects that were sent once more, as the region said nothing of them.");
  resent.Add({{"region", region}}, static_cast<double>(count));
}

std::shared_ptr<void> ShowRegions(Regions& regions) {
  return BeforeScrapes([&regions, gauges = std::make_shared<Gauges>()] {
    const auto listed = regions.List();
    if (!listed.ok()) return;
    for (const NamedRegion& region : *listed) {
      if (const auto health = regions.HealthOf(region.code); health.ok()) gauges->Show(region.code, *health);
    }
  });
}

}  // namespace keyferry

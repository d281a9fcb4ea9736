#include "services/provisioner/provisioner_metrics.h"

#include "libs/metrics/metrics.h"

namespace keyferry {

void CountApplied(int64_t ready_count, int64_t failed_count, absl::Duration took) {
  static CounterFamily applied("keyferry_provisioner_applied_objects_total", "Sets and deployments, and deletes of them, by result: ready or failed.");
  static HistogramFamily durations("keyferry_provisioner_apply_duration_seconds", "Groups of events, from their coming to their ack.", SecondsBuckets());
  applied.Add({{"result", "ready"}}, static_cast<double>(ready_count));
  applied.Add({{"result", "failed"}}, static_cast<double>(failed_count));
  durations.Observe({}, absl::ToDoubleSeconds(took));
}

void ShowStream(bool connected, bool active) {
  static GaugeFamily connected_gauge("keyferry_provisioner_connected", "1: it has a stream to the API.");
  static GaugeFamily active_gauge("keyferry_provisioner_active", "1: it serves the region; 0: it stands by, or has no stream.");
  connected_gauge.Set({}, connected ? 1 : 0);
  active_gauge.Set({}, active ? 1 : 0);
}

void CountRenewal(bool renewed) {
  static CounterFamily renewals("keyferry_provisioner_renewals_total", "Renewals of its certificate, by result: renewed or failed.");
  renewals.Add({{"result", renewed ? "renewed" : "failed"}});
}

std::shared_ptr<void> ShowProvisioner(ProvisionerGauges gauges) {
  struct Families {
    GaugeFamily objects{"keyferry_provisioner_objects", "Sets and deployments in the region's store."};
    GaugeFamily certificate{"keyferry_provisioner_certificate_expiry_timestamp_seconds", "When its own certificate expires, Unix time."};
  };
  return BeforeScrapes([gauges = std::move(gauges), families = std::make_shared<Families>()] {
    families->objects.Set({}, static_cast<double>(gauges.object_count()));
    if (const auto expiry = gauges.certificate_expiry()) families->certificate.Set({}, absl::ToDoubleSeconds(*expiry - absl::UnixEpoch()));
  });
}

}  // namespace keyferry

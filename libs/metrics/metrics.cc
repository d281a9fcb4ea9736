#include "libs/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <iterator>
#include <list>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/metrics/registry.h"

namespace keyferry {
namespace {

using Counters = prometheus::Family<prometheus::Counter>;
using Gauges = prometheus::Family<prometheus::Gauge>;
using Histograms = prometheus::Family<prometheus::Histogram>;

// Never destroyed: statics of other files count until the end.
prometheus::Registry& Registry() {
  static auto* const registry = new prometheus::Registry(prometheus::Registry::InsertBehavior::Merge);
  return *registry;
}

struct Fillers {
  absl::Mutex mutex;
  std::list<std::function<void()>> all ABSL_GUARDED_BY(mutex);
};

Fillers& TheFillers() {
  static auto* const fillers = new Fillers;
  return *fillers;
}

}  // namespace

void Counter::Add(double count) const { static_cast<prometheus::Counter*>(counter_)->Increment(count); }

void Histogram::Observe(double value) const { static_cast<prometheus::Histogram*>(histogram_)->Observe(value); }

CounterFamily::CounterFamily(const std::string& name, const std::string& help)
    : family_(&prometheus::BuildCounter().Name(name).Help(help).Register(Registry())) {}

void CounterFamily::Add(const MetricLabels& labels, double count) { Of(labels).Add(count); }

Counter CounterFamily::Of(const MetricLabels& labels) const { return Counter(&static_cast<Counters*>(family_)->Add(labels)); }

GaugeFamily::GaugeFamily(const std::string& name, const std::string& help)
    : family_(&prometheus::BuildGauge().Name(name).Help(help).Register(Registry())) {}

void GaugeFamily::Set(const MetricLabels& labels, double value) { static_cast<Gauges*>(family_)->Add(labels).Set(value); }

void GaugeFamily::Remove(const MetricLabels& labels) {
  auto& family = *static_cast<Gauges*>(family_);
  family.Remove(&family.Add(labels));
}

HistogramFamily::HistogramFamily(const std::string& name, const std::string& help, std::vector<double> bounds)
    : family_(&prometheus::BuildHistogram().Name(name).Help(help).Register(Registry())), bounds_(std::move(bounds)) {}

void HistogramFamily::Observe(const MetricLabels& labels, double value) { Of(labels).Observe(value); }

Histogram HistogramFamily::Of(const MetricLabels& labels) const { return Histogram(&static_cast<Histograms*>(family_)->Add(labels, bounds_)); }

std::vector<double> SecondsBuckets() { return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}; }

std::vector<double> CountBuckets() { return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}; }

std::shared_ptr<void> BeforeScrapes(std::function<void()> fill) {
  Fillers& fillers = TheFillers();
  absl::MutexLock lock(&fillers.mutex);
  fillers.all.push_back(std::move(fill));
  const auto place = std::prev(fillers.all.end());
  return std::shared_ptr<void>(nullptr, [&fillers, place](void*) {
    absl::MutexLock lock(&fillers.mutex);
    fillers.all.erase(place);
  });
}

std::vector<prometheus::MetricFamily> CollectMetrics() {
  Fillers& fillers = TheFillers();
  absl::MutexLock lock(&fillers.mutex);
  for (const auto& fill : fillers.all) fill();
  return Registry().Collect();
}

std::string MetricsText() { return prometheus::TextSerializer().Serialize(CollectMetrics()); }

}  // namespace keyferry

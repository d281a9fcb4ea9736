// The families as prometheus-cpp has them. Only metrics_endpoint.cc uses it.
#ifndef KEYFERRY_METRICS_REGISTRY_H_
#define KEYFERRY_METRICS_REGISTRY_H_

#include <prometheus/metric_family.h>

#include <vector>

namespace keyferry {

// After what BeforeScrapes asked for has run.
std::vector<prometheus::MetricFamily> CollectMetrics();

}  // namespace keyferry

#endif  // KEYFERRY_METRICS_REGISTRY_H_

#include "services/gateway/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>

namespace keyferry::gateway {
namespace {

using Labels = std::map<std::string, std::string>;

// Seconds; the long ones are `?wait=ready` and streams.
const prometheus::Histogram::BucketBoundaries& DurationBuckets() {
  static const prometheus::Histogram::BucketBoundaries buckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                                  0.25,  0.5,    1,     2.5,  10,    60,   300};
  return buckets;
}

class PrometheusMetrics final : public Metrics {
 public:
  void Count(const ExchangeRecord& exchange) override {
    const std::string route(exchange.answer.route.empty() ? "none" : exchange.answer.route);
    const std::string method(KnownMethod(exchange.request.method));
    requests_.Add({{"route", route}, {"method", method}, {"status", std::to_string(exchange.answer.status)}})
        .Increment();
    if (!exchange.answer.reason.empty()) errors_.Add({{"reason", exchange.answer.reason}}).Increment();
    durations_.Add({{"route", route}, {"method", method}}, DurationBuckets())
        .Observe(absl::ToDoubleSeconds(exchange.duration));
    sent_bytes_.Increment(static_cast<double>(exchange.bytes_sent));
    received_bytes_.Increment(static_cast<double>(exchange.request.body.size()));
  }

  void SetConnectionCount(int count) override { connections_.Set(count); }
  void SetStreamCount(int count) override { streams_.Set(count); }
  std::string Text() const override { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_ = prometheus::BuildCounter()
                                                           .Name("keyferry_gateway_requests_total")
                                                           .Help("Exchanges, by route pattern, method and HTTP status.")
                                                           .Register(registry_);
  prometheus::Family<prometheus::Counter>& errors_ = prometheus::BuildCounter()
                                                         .Name("keyferry_gateway_errors_total")
                                                         .Help("Error answers, by reason.")
                                                         .Register(registry_);
  prometheus::Family<prometheus::Histogram>& durations_ =
      prometheus::BuildHistogram()
          .Name("keyferry_gateway_request_duration_seconds")
          .Help("From the first byte of a request to the last of its answer.")
          .Register(registry_);
  prometheus::Counter& sent_bytes_ = prometheus::BuildCounter()
                                         .Name("keyferry_gateway_sent_bytes_total")
                                         .Help("Bytes of answers.")
                                         .Register(registry_)
                                         .Add({});
  prometheus::Counter& received_bytes_ = prometheus::BuildCounter()
                                             .Name("keyferry_gateway_received_bytes_total")
                                             .Help("Bytes of request bodies.")
                                             .Register(registry_)
                                             .Add({});
  prometheus::Gauge& connections_ = prometheus::BuildGauge()
                                        .Name("keyferry_gateway_connections")
                                        .Help("Open connections.")
                                        .Register(registry_)
                                        .Add({});
  prometheus::Gauge& streams_ = prometheus::BuildGauge()
                                    .Name("keyferry_gateway_event_streams")
                                    .Help("Live streams of events.")
                                    .Register(registry_)
                                    .Add({});
};

}  // namespace

std::unique_ptr<Metrics> Metrics::Create() { return std::make_unique<PrometheusMetrics>(); }

std::string_view KnownMethod(std::string_view method) {
  static constexpr std::string_view kKnown[] = {"GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"};
  const auto found = std::find(std::begin(kKnown), std::end(kKnown), method);
  return found == std::end(kKnown) ? "OTHER" : *found;
}

}  // namespace keyferry::gateway

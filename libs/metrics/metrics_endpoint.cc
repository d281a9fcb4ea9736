#include "libs/metrics/metrics_endpoint.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <exception>

#include "absl/strings/str_cat.h"
#include "libs/metrics/metrics.h"
#include "libs/metrics/registry.h"

namespace keyferry {
namespace {

// A scraper or two; civetweb's default of keeping requests of up to 16 KiB stays.
constexpr int kThreads = 2;

class AllMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override { return CollectMetrics(); }
};

class CivetEndpoint final : public MetricsEndpoint {
 public:
  explicit CivetEndpoint(const std::string& address) : exposer_(address, kThreads) {
    const std::vector<int> ports = exposer_.GetListeningPorts();
    address_ = absl::StrCat(address.substr(0, address.rfind(':')), ":", ports.empty() ? 0 : ports[0]);
    exposer_.RegisterCollectable(all_);
  }

  const std::string& address() const override { return address_; }

 private:
  const std::shared_ptr<AllMetrics> all_ = std::make_shared<AllMetrics>();
  prometheus::Exposer exposer_;
  std::string address_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size() ||
      address.find_first_not_of("0123456789", colon + 1) != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is no address for metrics; give IP:port, such as 127.0.0.1:9464"));
  }
  try {
    return std::make_unique<CivetEndpoint>(address);
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("metrics cannot be served on ", address, ": ", error.what()));
  }
}

}  // namespace keyferry

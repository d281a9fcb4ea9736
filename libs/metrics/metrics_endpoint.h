// GET /metrics on a port of its own, in the clear: for loopback, or a network that only the scraper reaches.
//
// Thread safety: Start and the destructor on one thread; scrapes run on threads of its own.
#ifndef KEYFERRY_METRICS_METRICS_ENDPOINT_H_
#define KEYFERRY_METRICS_METRICS_ENDPOINT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace keyferry {

class MetricsEndpoint {
 public:
  // `host:port`, an IP address; port 0: any. InvalidArgument: no such address. Unavailable: it is in use.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const std::string& address);
  virtual ~MetricsEndpoint() = default;

  // With the port that was chosen.
  virtual const std::string& address() const = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_METRICS_METRICS_ENDPOINT_H_

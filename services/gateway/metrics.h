// What the gateway counts, in Prometheus' text format and by its naming rules. Labels come from fixed sets alone:
// routes by their pattern, so that no name of a tenant gets here.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_METRICS_H_
#define KEYFERRY_SERVICES_GATEWAY_METRICS_H_

#include <functional>
#include <memory>
#include <string>

#include "services/gateway/http_server.h"

namespace keyferry::gateway {

class Metrics {
 public:
  static std::unique_ptr<Metrics> Create();
  virtual ~Metrics() = default;

  virtual void Count(const ExchangeRecord& exchange) = 0;
  virtual void SetConnectionCount(int count) = 0;
  virtual void SetStreamCount(int count) = 0;
  virtual std::string Text() const = 0;
};

// GET, PUT … as they are; all else is OTHER.
std::string_view KnownMethod(std::string_view method);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_METRICS_H_

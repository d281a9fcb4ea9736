// The Status RPC.
#ifndef KEYFERRY_SERVICES_API_STATUS_SERVICE_H_
#define KEYFERRY_SERVICES_API_STATUS_SERVICE_H_

#include <functional>
#include <memory>

#include "services/api/fact_collector.h"
#include "services/api/guard.h"

namespace grpc {
class Service;
}

namespace keyferry {

namespace v1 {
class KeyStatus;
}

struct StatusServiceParts {
  // All outlive the service.
  Guard& guard;
  const Store& store;
  FactSources sources;
  // As Keys/GetKeyStatus answers.
  std::function<absl::Status(v1::KeyStatus&)> describe_keys;
};
std::unique_ptr<grpc::Service> NewStatusService(const StatusServiceParts& parts);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_STATUS_SERVICE_H_

// The Sync stream: gRPC on one side, a RegionSession on the other.
#ifndef KEYFERRY_SERVICES_API_PROVISIONING_SERVICE_H_
#define KEYFERRY_SERVICES_API_PROVISIONING_SERVICE_H_

#include <memory>

#include "services/api/guard.h"
#include "services/api/region_directory.h"

namespace grpc {
class Service;
}

namespace keyferry {

// All outlive the service.
std::unique_ptr<grpc::Service> NewProvisioningService(Guard& guard, RegionDirectory& directory);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_PROVISIONING_SERVICE_H_

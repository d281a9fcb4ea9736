// The Regions RPCs.
#ifndef KEYFERRY_SERVICES_API_REGION_SERVICE_H_
#define KEYFERRY_SERVICES_API_REGION_SERVICE_H_

#include <memory>

#include "services/api/enrollment_tokens.h"
#include "services/api/guard.h"
#include "services/api/region_provisioners.h"
#include "services/api/regions.h"

namespace grpc {
class Service;
}

namespace keyferry {

// All outlive the service.
std::unique_ptr<grpc::Service> NewRegionsService(Guard& guard, Regions& regions, RegionProvisioners& provisioners, EnrollmentTokens& tokens);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REGION_SERVICE_H_

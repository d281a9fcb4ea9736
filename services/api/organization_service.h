// The Organizations RPCs.
#ifndef KEYFERRY_SERVICES_API_ORGANIZATION_SERVICE_H_
#define KEYFERRY_SERVICES_API_ORGANIZATION_SERVICE_H_

#include <memory>

#include "services/api/api_keys.h"
#include "services/api/guard.h"
#include "services/api/organizations.h"

namespace grpc {
class Service;
}

namespace keyferry {

class OrganizationDeletion;

// All outlive the service. `limits` (may be null) hears of changed quotas. `deletion` null: none is deleted.
std::unique_ptr<grpc::Service> NewOrganizationsService(Guard& guard, Organizations& organizations, ApiKeys& api_keys,
                                                       CallLimits* limits = nullptr, OrganizationDeletion* deletion = nullptr);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ORGANIZATION_SERVICE_H_

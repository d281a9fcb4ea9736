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

// All outlive the service.
std::unique_ptr<grpc::Service> NewOrganizationsService(Guard& guard, Organizations& organizations, ApiKeys& api_keys);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ORGANIZATION_SERVICE_H_

// The Identities RPCs.
#ifndef KEYFERRY_SERVICES_API_IDENTITY_SERVICE_H_
#define KEYFERRY_SERVICES_API_IDENTITY_SERVICE_H_

#include <memory>
#include <string>

#include "services/api/guard.h"
#include "services/api/revoked_identities.h"

namespace grpc {
class Service;
}

namespace keyferry {

// Guard and identities outlive the service.
std::unique_ptr<grpc::Service> NewIdentitiesService(Guard& guard, RevokedIdentities& identities,
                                                    std::string trust_domain);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_IDENTITY_SERVICE_H_

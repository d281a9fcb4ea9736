// The SecretSets RPCs. Handlers convert and delegate; they hold no rules.
#ifndef KEYFERRY_SERVICES_API_SECRET_SET_SERVICE_H_
#define KEYFERRY_SERVICES_API_SECRET_SET_SERVICE_H_

#include <memory>

#include "services/api/guard.h"
#include "services/api/use_case.h"

namespace grpc {
class Service;
}

namespace keyferry {

// The guard and the deps' referents outlive the service.
std::unique_ptr<grpc::Service> NewSecretSetsService(Guard& guard, const UseCaseDeps& deps);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SECRET_SET_SERVICE_H_

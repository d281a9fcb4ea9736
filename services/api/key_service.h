// The Keys RPCs.
#ifndef KEYFERRY_SERVICES_API_KEY_SERVICE_H_
#define KEYFERRY_SERVICES_API_KEY_SERVICE_H_

#include <memory>

#include "services/api/guard.h"
#include "services/api/key_rotation.h"
#include "services/api/region_reseal.h"

namespace grpc {
class Service;
}

namespace keyferry {

namespace v1 {
class KeyStatus;
}

// All outlive the service.
struct KeysServiceParts {
  Guard& guard;
  const Store& store;
  const Barrier& barrier;
  RootKeys& root_keys;
  KeyRotation& rotation;
  const RegionReseal& reseal;
};
// As GetKeyStatus answers. The store's errors.
absl::Status DescribeKeys(const KeysServiceParts& parts, v1::KeyStatus& status);

std::unique_ptr<grpc::Service> NewKeysService(const KeysServiceParts& parts);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_KEY_SERVICE_H_

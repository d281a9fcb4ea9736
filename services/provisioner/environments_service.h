// keyferry.v1.Environments: what agents were deployed with, from the region's own store, opened for each answer. Needs
// no API.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_ENVIRONMENTS_SERVICE_H_
#define KEYFERRY_SERVICES_PROVISIONER_ENVIRONMENTS_SERVICE_H_

#include <memory>

#include "libs/common/executor.h"
#include "libs/model/placement.h"
#include "services/provisioner/region_keys.h"
#include "services/provisioner/region_store.h"

namespace grpc {
class Service;
}

namespace keyferry {

class EnvironmentsService {
 public:
  // All three outlive the service; the server that serves it ends before. What is then left on the executor does not
  // use the service.
  static std::unique_ptr<EnvironmentsService> Create(const RegionStore& store, const RegionKeys& keys,
                                                     Executor& executor);
  virtual ~EnvironmentsService() = default;
  virtual grpc::Service& service() = 0;
  // What the region holds of this object changed: watchers of the agent are told.
  virtual void Changed(const ObjectId& id) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_ENVIRONMENTS_SERVICE_H_

#include "services/api/serve_services.h"

#include <grpcpp/impl/service_type.h>

#include "keyferry/v1/audit.grpc.pb.h"
#include "keyferry/v1/backups.grpc.pb.h"
#include "keyferry/v1/deployments.grpc.pb.h"
#include "keyferry/v1/enrollment.grpc.pb.h"
#include "keyferry/v1/identities.grpc.pb.h"
#include "keyferry/v1/keys.grpc.pb.h"
#include "keyferry/v1/organizations.grpc.pb.h"
#include "keyferry/v1/provisioning.grpc.pb.h"
#include "keyferry/v1/regions.grpc.pb.h"
#include "keyferry/v1/secret_sets.grpc.pb.h"
#include "keyferry/v1/status.grpc.pb.h"

namespace keyferry {

std::vector<std::string> ServedServices() {
  return {v1::SecretSets::service_full_name(), v1::Deployments::service_full_name(),
          v1::Organizations::service_full_name(), v1::Regions::service_full_name(),
          v1::Provisioning::service_full_name(), v1::Enrollment::service_full_name(), v1::Audit::service_full_name(),
          v1::Keys::service_full_name(), v1::Backups::service_full_name(), v1::Identities::service_full_name(), v1::Status::service_full_name()};
}

}  // namespace keyferry

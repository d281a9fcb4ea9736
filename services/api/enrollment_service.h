// The Enrollment RPCs.
#ifndef KEYFERRY_SERVICES_API_ENROLLMENT_SERVICE_H_
#define KEYFERRY_SERVICES_API_ENROLLMENT_SERVICE_H_

#include <memory>

#include "services/api/enrollment.h"
#include "services/api/guard.h"

namespace grpc {
class Service;
}

namespace keyferry {

// All outlive the service.
std::unique_ptr<grpc::Service> NewEnrollmentService(Guard& guard, Enrollment& enrollment);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ENROLLMENT_SERVICE_H_

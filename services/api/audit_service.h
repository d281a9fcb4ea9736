// The Audit service: thin handlers over AuditReader.
//
// Thread safety: as gRPC callback services are.
#ifndef KEYFERRY_SERVICES_API_AUDIT_SERVICE_H_
#define KEYFERRY_SERVICES_API_AUDIT_SERVICE_H_

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "services/api/audit_reader.h"
#include "services/api/guard.h"

namespace keyferry {

// Both outlive the service.
std::unique_ptr<grpc::Service> NewAuditService(Guard& guard, const AuditReader& reader);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_AUDIT_SERVICE_H_

// absl::Status to grpc::Status with google.rpc details, and back. ErrorInfo (domain `keyferry`) always; BadRequest,
// RetryInfo, PreconditionFailure and ResourceInfo where they fit.
#ifndef KEYFERRY_RPC_STATUS_CONVERSION_H_
#define KEYFERRY_RPC_STATUS_CONVERSION_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace keyferry {

// Texts of Internal, Unknown and DataLoss are replaced by "internal error, incident <id>"; incident_id is then logged
// by the caller.
grpc::Status ToGrpcStatus(const absl::Status& status, std::string_view incident_id);
// Details come back as ErrorDetails (libs/common/error.h).
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_STATUS_CONVERSION_H_

// What is told of an answered call: to the caller, to the metrics, to the log.
//
// Thread safety: free functions, any thread.
#ifndef KEYFERRY_SERVICES_API_CALL_REPORT_H_
#define KEYFERRY_SERVICES_API_CALL_REPORT_H_

#include <grpcpp/support/status.h>

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/api/caller.h"

namespace keyferry {

// The status for the wire. Texts of INTERNAL, UNKNOWN and DATA_LOSS go to the log, under an incident id.
grpc::Status Convert(const absl::Status& status, std::string_view method, const Caller& caller);

// One line, and the metrics. took 0: a stream that is admitted, or not.
void ReportCall(std::string_view method, const Caller& caller, const absl::Status& status, absl::Duration took);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_CALL_REPORT_H_

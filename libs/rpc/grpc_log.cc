#include "libs/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include "libs/common/log.h"

namespace keyferry {

void RedirectGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args* line) {
    // Its errors are mostly peers that fail a handshake.
    const Severity severity = line->severity == GPR_LOG_SEVERITY_ERROR ? Severity::kWarning : Severity::kDebug;
    Log(severity, "grpc", {{"file", line->file}, {"line", line->line}, {"message", line->message}});
  });
}

}  // namespace keyferry

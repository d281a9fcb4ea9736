// The whole product, by hand: what there is, and who may use whom.
#ifndef KEYFERRY_SERVICES_API_SERVE_H_
#define KEYFERRY_SERVICES_API_SERVE_H_

#include "absl/status/status.h"
#include "services/api/api_options.h"

namespace keyferry {

// EX_UNAVAILABLE of sysexits.h: a supervisor starts it again.
inline constexpr int kExitKmsAway = 69;
inline constexpr int kExitStore = 70;
inline constexpr int kExitConfiguration = 78;

// Says what is wrong on standard error; gives the exit code back.
int Fail(const absl::Status& status, int exit_code);

// Serves until a stop signal; the process's exit code.
int Serve(const ApiOptions& options);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SERVE_H_

// What keyferry-gateway is told on its command line.
#ifndef KEYFERRY_SERVICES_GATEWAY_GATEWAY_OPTIONS_H_
#define KEYFERRY_SERVICES_GATEWAY_GATEWAY_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/gateway/api_calls.h"
#include "services/gateway/http_server.h"

namespace keyferry::gateway {

struct GatewayOptions {
  // The TLS door first, then the plain one; at least one of them.
  std::vector<HttpDoor> doors;
  // Its address is empty where there is none.
  HttpDoor metrics_door;
  ApiCalls::Options api;
  std::string log_level;
  std::string ready_file;
  int thread_count = 0;
};

// Ends the process, as flags do, on one that does not exist. InvalidArgument: something is missing or does not fit.
absl::StatusOr<GatewayOptions> ParseCommandLine(int argc, char** argv);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_GATEWAY_OPTIONS_H_

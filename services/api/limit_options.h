// What keyferry-api's command line says of limits and of proxies.
#ifndef KEYFERRY_SERVICES_API_LIMIT_OPTIONS_H_
#define KEYFERRY_SERVICES_API_LIMIT_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/api/call_limits.h"

namespace keyferry {

struct LimitOptions {
  CallLimitSettings calls;
  // As ClientAddresses::Create takes them.
  std::vector<std::string> edge_proxies;
};

// InvalidArgument: a negative limit.
absl::StatusOr<LimitOptions> LimitOptionsOfFlags();

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_LIMIT_OPTIONS_H_

#include "services/api/limit_options.h"

#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"

ABSL_FLAG(int64_t, key_calls_per_second, keyferry::kDefaultKeyCallsPerSecond,
          "Calls a second of one API key or one service; bursts of twice as many. 0: no limit.");
ABSL_FLAG(int64_t, organization_calls_per_second, keyferry::kDefaultOrganizationCallsPerSecond,
          "The same of all callers of an organization whose quota says nothing else. 0: no limit.");
ABSL_FLAG(int64_t, address_calls_per_second, keyferry::kDefaultAddressCallsPerSecond,
          "The same of one address at the edge door. 0: no limit.");
ABSL_FLAG(int64_t, failures_per_minute, keyferry::kDefaultFailuresPerMinute,
          "Wrong credentials a minute, of one address or for one key, before a minute of refusals. 0: no limit.");
ABSL_FLAG(std::vector<std::string>, edge_proxies, {},
          "Addresses of proxies at the edge door, `unix` for its unix socket: what the last entry of their "
          "x-forwarded-for says is the "
          "caller's address.");

namespace keyferry {

absl::StatusOr<LimitOptions> LimitOptionsOfFlags() {
  LimitOptions options{.calls = {.key_calls_per_second = absl::GetFlag(FLAGS_key_calls_per_second),
                                 .organization_calls_per_second = absl::GetFlag(FLAGS_organization_calls_per_second),
                                 .address_calls_per_second = absl::GetFlag(FLAGS_address_calls_per_second),
                                 .failures_per_minute = absl::GetFlag(FLAGS_failures_per_minute)},
                       .edge_proxies = absl::GetFlag(FLAGS_edge_proxies)};
  const std::pair<const char*, int64_t> limits[] = {
      {"--key_calls_per_second", options.calls.key_calls_per_second},
      {"--organization_calls_per_second", options.calls.organization_calls_per_second},
      {"--address_calls_per_second", options.calls.address_calls_per_second},
      {"--failures_per_minute", options.calls.failures_per_minute}};
  for (const auto& [flag, value] : limits) {
    if (value < 0) return absl::InvalidArgumentError(absl::StrCat(flag, " must be 0 or more; found ", value));
  }
  return options;
}

}  // namespace keyferry

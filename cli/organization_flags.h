// Options of `keyferry keys`, `keyferry orgs delete` and `keyferry orgs quota`.
#ifndef KEYFERRY_CLI_ORGANIZATION_FLAGS_H_
#define KEYFERRY_CLI_ORGANIZATION_FLAGS_H_

#include <cstdint>
#include <optional>
#include <string>

namespace keyferry {

struct OrganizationFlags {
  // keys create, keys rotate: as typed, `90d`; empty: not given.
  std::string expires;
  std::string overlap;
  // orgs delete: the name again; empty: it is asked for.
  std::string confirm;
  // orgs quota set
  std::optional<int64_t> max_secret_sets;
  std::optional<int64_t> max_deployments;
  std::optional<int64_t> max_api_keys;
  std::optional<int64_t> max_calls_per_second;
};

}  // namespace keyferry

#endif  // KEYFERRY_CLI_ORGANIZATION_FLAGS_H_

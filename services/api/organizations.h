// Organizations: tenants and their properties.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_ORGANIZATIONS_H_
#define KEYFERRY_SERVICES_API_ORGANIZATIONS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/storage/codec.h"
#include "services/api/use_case.h"

namespace keyferry {

struct NamedOrganization {
  std::string name;
  OrganizationRow row;
};

struct OrganizationPage {
  std::vector<NamedOrganization> organizations;
  // Empty on the last page.
  std::string next_page_token;
};

struct OrganizationProperties {
  std::string default_region;
  // Sorted.
  std::vector<std::string> available_regions;
};

// nullopt: not given; 0: back to the default.
struct QuotaChange {
  std::optional<int64_t> max_secret_sets;
  std::optional<int64_t> max_deployments;
  std::optional<int64_t> max_api_keys;
  std::optional<int64_t> max_calls_per_second;
};

// Limits as they count, defaults filled in, and what is used of them.
struct OrganizationQuota {
  std::string organization;
  int64_t max_secret_sets = 0;
  int64_t max_deployments = 0;
  int64_t max_api_keys = 0;
  // 0: as the server is set.
  int64_t max_calls_per_second = 0;
  int64_t secret_set_count = 0;
  int64_t deployment_count = 0;
};

class Organizations {
 public:
  // What deps refers to outlives it.
  static std::unique_ptr<Organizations> Create(const UseCaseDeps& deps);
  virtual ~Organizations() = default;

  // The organization and its keys, in one commit. AlreadyExists: ORGANIZATION_EXISTS; ORGANIZATION_NAME_RETIRED: one of that
  // name was deleted. InvalidArgument: INVALID_ORGANIZATION.
  virtual void Make(const std::string& name, const std::string& display_name,
                    std::function<void(absl::StatusOr<NamedOrganization>)> done) = 0;
  // In order of name; page_size as for secret sets. InvalidArgument: INVALID_PAGE_SIZE, INVALID_PAGE_TOKEN.
  virtual absl::StatusOr<OrganizationPage> List(int page_size, const std::string& page_token) = 0;
  // NotFound: ORGANIZATION_NOT_FOUND.
  virtual absl::StatusOr<NamedOrganization> Get(const std::string& organization) = 0;
  virtual absl::StatusOr<OrganizationProperties> GetProperties(const std::string& organization) = 0;
  // nullopt: not given. InvalidArgument: UNKNOWN_REGION, INVALID_PROPERTY (none given). NotFound:
  // ORGANIZATION_NOT_FOUND.
  virtual void UpdateProperties(const std::string& organization, const std::optional<std::string>& default_region,
                                std::function<void(absl::StatusOr<OrganizationProperties>)> done) = 0;
  // NotFound: ORGANIZATION_NOT_FOUND.
  virtual absl::StatusOr<OrganizationQuota> GetQuota(const std::string& organization) = 0;
  // Less than what is used takes nothing away. What was committed is told on the executor. InvalidArgument: INVALID_QUOTA (none given, negative, more than kMaxQuota). NotFound:
  // ORGANIZATION_NOT_FOUND.
  virtual void UpdateQuota(const std::string& organization, const QuotaChange& change,
                           std::function<void(absl::StatusOr<OrganizationQuota>)> done) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ORGANIZATIONS_H_

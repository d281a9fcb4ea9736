#include "services/api/access_policy.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/common/error.h"
#include "libs/model/names.h"

namespace keyferry {
namespace {

constexpr uint8_t kWriters = kOrganizationAdmin | kOrganizationMember;
constexpr uint8_t kDeployers = kWriters | kOrganizationDeployer;
constexpr uint8_t kTenants = kDeployers | kOrganizationViewer;
constexpr uint8_t kAdmins = kOrganizationAdmin | kSystemOperator;
constexpr uint8_t kEverybody = kTenants | kSystemOperator | kRegionProvisioner;

constexpr AccessRow kTable[] = {
    {"SecretSets/SetSecrets", Scope::kOrganization, kWriters},
    {"SecretSets/SetImagePullSecret", Scope::kOrganization, kWriters},
    {"SecretSets/GetSecretSet", Scope::kOrganization, kTenants},
    {"SecretSets/ListSecretSets", Scope::kOrganization, kTenants},
    {"SecretSets/WatchSecretSets", Scope::kOrganization, kTenants},
    {"SecretSets/WaitUntilReady", Scope::kOrganization, kTenants},
    {"SecretSets/UnsetSecret", Scope::kOrganization, kWriters},
    {"SecretSets/DeleteSecretSet", Scope::kOrganization, kWriters},
    {"SecretSets/ListGenerations", Scope::kOrganization, kTenants},
    {"SecretSets/RollbackSecretSet", Scope::kOrganization, kWriters},

    {"Deployments/CreateDeployment", Scope::kOrganization, kDeployers},
    {"Deployments/UpdateDeployment", Scope::kOrganization, kDeployers},
    {"Deployments/GetDeployment", Scope::kOrganization, kTenants},
    {"Deployments/ListDeployments", Scope::kOrganization, kTenants},
    {"Deployments/DeleteDeployment", Scope::kOrganization, kDeployers},

    {"Organizations/CreateOrganization", Scope::kSystem, kSystemOperator},
    {"Organizations/ListOrganizations", Scope::kSystem, kSystemOperator},
    {"Organizations/GetProperties", Scope::kOrganization, kTenants | kSystemOperator},
    {"Organizations/UpdateProperties", Scope::kOrganization, kAdmins},
    {"Organizations/CreateApiKey", Scope::kOrganization, kAdmins},
    {"Organizations/ListApiKeys", Scope::kOrganization, kAdmins},
    {"Organizations/RevokeApiKey", Scope::kOrganization, kAdmins},
    {"Organizations/WhoAmI", Scope::kSystem, kEverybody},

    {"Regions/CreateRegion", Scope::kSystem, kSystemOperator},
    {"Regions/ListRegions", Scope::kSystem, kEverybody},
    {"Regions/GetRegion", Scope::kSystem, kSystemOperator},
    {"Regions/Resync", Scope::kSystem, kSystemOperator},

    {"Provisioning/Sync", Scope::kSystem, kRegionProvisioner},
};

// `Service/Rpc` of every RPC of these services.
std::set<std::string> MethodsOf(const std::vector<std::string>& services) {
  std::set<std::string> methods;
  for (const std::string& name : services) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    if (service == nullptr) {
      methods.insert(absl::StrCat(name, " (no such service)"));
      continue;
    }
    for (int i = 0; i < service->method_count(); ++i)
      methods.insert(absl::StrCat(service->name(), "/", service->method(i)->name()));
  }
  return methods;
}

}  // namespace

std::span<const AccessRow> AccessTable() { return kTable; }

const AccessRow* FindAccess(std::string_view method) {
  const auto* row =
      std::find_if(std::begin(kTable), std::end(kTable), [&](const AccessRow& row) { return row.method == method; });
  return row == std::end(kTable) ? nullptr : row;
}

absl::Status CheckAccessTable(const std::vector<std::string>& services) {
  const std::set<std::string> methods = MethodsOf(services);
  std::vector<std::string> problems;
  for (const std::string& method : methods) {
    if (FindAccess(method) == nullptr) problems.push_back(absl::StrCat(method, " has no row"));
  }
  std::set<std::string_view> seen;
  for (const AccessRow& row : kTable) {
    if (!methods.contains(std::string(row.method)))
      problems.push_back(absl::StrCat("row ", std::string(row.method), " has no RPC"));
    if (!seen.insert(row.method).second) problems.push_back(absl::StrCat("two rows for ", std::string(row.method)));
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the access table does not fit the services: ", absl::StrJoin(problems, "; ")));
}

Principal PrincipalOf(const Caller& caller) {
  if (caller.kind == CallerKind::kOperator) return kSystemOperator;
  if (caller.kind == CallerKind::kProvisioner) return kRegionProvisioner;
  switch (caller.role) {
    case Role::kAdmin:
      return kOrganizationAdmin;
    case Role::kMember:
      return kOrganizationMember;
    case Role::kDeployer:
      return kOrganizationDeployer;
    case Role::kViewer:
      return kOrganizationViewer;
  }
  return kNobody;
}

std::string_view NameOf(Principal principal) {
  switch (principal) {
    case kNobody:
      return "nobody";
    case kOrganizationAdmin:
      return "admin";
    case kOrganizationMember:
      return "member";
    case kOrganizationDeployer:
      return "deployer";
    case kOrganizationViewer:
      return "viewer";
    case kSystemOperator:
      return "operator";
    case kRegionProvisioner:
      return "provisioner";
  }
  return "nobody";
}

absl::Status CheckPermission(const AccessRow& row, const Caller& caller) {
  const Principal principal = PrincipalOf(caller);
  if ((row.allowed & principal) != 0) return absl::OkStatus();
  const std::string role(NameOf(principal));
  const std::string method(row.method);
  return MakeError(absl::StatusCode::kPermissionDenied,
                   absl::StrCat("a caller with role ", role, " may not call ", method,
                                "; ask an admin of the organization for another role"),
                   {.reason = "PERMISSION_DENIED", .metadata = {{"role", role}, {"method", method}}});
}

absl::Status OrganizationNotFound(std::string_view organization) {
  // What is no name may be a key that was typed in its place.
  if (CheckOrganizationName("organization", organization)) {
    return MakeError(absl::StatusCode::kNotFound, "the organization does not exist",
                     {.reason = "ORGANIZATION_NOT_FOUND"});
  }
  const std::string name(organization);
  return NotFound("ORGANIZATION_NOT_FOUND", absl::StrCat("organization \"", name, "\" does not exist"), name);
}

}  // namespace keyferry

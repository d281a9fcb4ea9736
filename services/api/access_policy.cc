#include "services/api/access_policy.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

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
    {"SecretSets/SetSecrets", Scope::kOrganization, kWriters, "write secrets"},
    {"SecretSets/SetImagePullSecret", Scope::kOrganization, kWriters, "write image pull secrets"},
    {"SecretSets/GetSecretSet", Scope::kOrganization, kTenants, "read secret sets"},
    {"SecretSets/ListSecretSets", Scope::kOrganization, kTenants, "list secret sets"},
    {"SecretSets/WatchSecretSets", Scope::kOrganization, kTenants, "watch secret sets"},
    {"SecretSets/WaitUntilReady", Scope::kOrganization, kTenants, "wait for secret sets"},
    {"SecretSets/UnsetSecret", Scope::kOrganization, kWriters, "remove secrets"},
    {"SecretSets/DeleteSecretSet", Scope::kOrganization, kWriters, "delete secret sets"},
    {"SecretSets/ListGenerations", Scope::kOrganization, kTenants, "list generations of secret sets"},
    {"SecretSets/RollbackSecretSet", Scope::kOrganization, kWriters, "roll secret sets back"},

    {"Deployments/CreateDeployment", Scope::kOrganization, kDeployers, "deploy agents"},
    {"Deployments/UpdateDeployment", Scope::kOrganization, kDeployers, "deploy agents"},
    {"Deployments/GetDeployment", Scope::kOrganization, kTenants, "read deployments"},
    {"Deployments/ListDeployments", Scope::kOrganization, kTenants, "list deployments"},
    {"Deployments/DeleteDeployment", Scope::kOrganization, kDeployers, "delete deployments"},

    {"Organizations/CreateOrganization", Scope::kSystem, kSystemOperator, "create organizations"},
    {"Organizations/ListOrganizations", Scope::kSystem, kSystemOperator, "list organizations"},
    {"Organizations/DeleteOrganization", Scope::kSystem, kSystemOperator, "delete organizations"},
    {"Organizations/UpdateQuota", Scope::kOrganization, kSystemOperator, "change quotas"},
    {"Organizations/GetQuota", Scope::kOrganization, kAdmins, "read quotas"},
    {"Organizations/GetProperties", Scope::kOrganization, kTenants | kSystemOperator, "read properties"},
    {"Organizations/UpdateProperties", Scope::kOrganization, kAdmins, "change properties"},
    {"Organizations/CreateApiKey", Scope::kOrganization, kAdmins, "create API keys"},
    {"Organizations/ListApiKeys", Scope::kOrganization, kAdmins, "list API keys"},
    {"Organizations/RotateApiKey", Scope::kOrganization, kAdmins, "rotate API keys"},
    {"Organizations/RevokeApiKey", Scope::kOrganization, kAdmins, "revoke API keys"},
    {"Organizations/WhoAmI", Scope::kSystem, kEverybody, "ask who it is"},

    {"Regions/CreateRegion", Scope::kSystem, kSystemOperator, "create regions"},
    {"Regions/ListRegions", Scope::kSystem, kEverybody, "list regions"},
    {"Regions/GetRegion", Scope::kSystem, kSystemOperator, "inspect regions"},
    {"Regions/Resync", Scope::kSystem, kSystemOperator, "resync regions"},

    {"Regions/CreateEnrollmentToken", Scope::kSystem, kSystemOperator, "create enrollment tokens"},
    {"Regions/RevokeProvisioners", Scope::kSystem, kSystemOperator, "revoke provisioners"},

    {"Provisioning/Sync", Scope::kSystem, kRegionProvisioner, "serve a region"},

    {"Enrollment/BeginEnrollment", Scope::kSystem, kEnrollee, "enroll"},
    {"Enrollment/CompleteEnrollment", Scope::kSystem, kEnrollee, "enroll"},
    {"Enrollment/RenewCertificate", Scope::kSystem, kRegionProvisioner, "renew a certificate"},
    {"Enrollment/BeginSealingKeyChange", Scope::kSystem, kRegionProvisioner, "change a sealing key"},
    {"Enrollment/CompleteSealingKeyChange", Scope::kSystem, kRegionProvisioner, "change a sealing key"},

    {"Audit/ListAuditRecords", Scope::kOrganizationOrSystem, kAdmins, "read the audit trail"},
    {"Audit/GetAuditHead", Scope::kOrganizationOrSystem, kAdmins, "read the audit trail"},

    {"Keys/RotateOrganizationKey", Scope::kSystem, kSystemOperator, "rotate keys"},
    {"Keys/RewrapKeys", Scope::kSystem, kSystemOperator, "rotate keys"},
    {"Keys/GetKeyStatus", Scope::kSystem, kSystemOperator, "inspect keys"},

    {"Backups/CreateBackup", Scope::kSystem, kSystemOperator, "create backups"},
    {"Backups/ListBackups", Scope::kSystem, kSystemOperator, "list backups"},

    {"Identities/RevokeIdentity", Scope::kSystem, kSystemOperator, "revoke identities"},
    {"Identities/ListRevokedIdentities", Scope::kSystem, kSystemOperator, "list revoked identities"},

    {"Status/GetStatus", Scope::kSystem, kSystemOperator, "read the status"},
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

constexpr Principal kPrincipals[] = {kOrganizationAdmin,   kOrganizationMember, kOrganizationDeployer,
                                     kOrganizationViewer, kSystemOperator,     kRegionProvisioner,  kEnrollee};

std::string WithArticle(Principal principal) {
  const std::string_view name = NameOf(principal);
  return absl::StrCat(std::string_view("ao").find(name[0]) == std::string_view::npos ? "a " : "an ", std::string(name));
}

// `an admin, a member or a deployer`
std::string Described(uint8_t allowed) {
  std::vector<std::string> names;
  for (const Principal principal : kPrincipals) {
    if ((allowed & principal) != 0) names.push_back(WithArticle(principal));
  }
  if (names.size() < 2) return absl::StrJoin(names, "");
  const std::string last = std::move(names.back());
  names.pop_back();
  return absl::StrCat(absl::StrJoin(names, ", "), " or ", last);
}

// `a key with role viewer`
std::string Described(Principal principal, const Caller& caller) {
  if (caller.kind != CallerKind::kTenant) return WithArticle(principal);
  const bool has_key = caller.principal.starts_with("apiKey:");
  return absl::StrCat(has_key ? "a key" : "a caller", " with role ", std::string(NameOf(principal)));
}

}  // namespace

std::span<const AccessRow> AccessTable() { return kTable; }

const AccessRow* FindAccess(std::string_view method) {
  static const auto* const rows = [] {
    auto* const by_method = new std::unordered_map<std::string_view, const AccessRow*>();
    for (const AccessRow& row : kTable) by_method->emplace(row.method, &row);
    return by_method;
  }();
  const auto row = rows->find(method);
  return row == rows->end() ? nullptr : row->second;
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
  if (caller.kind == CallerKind::kEnrollee) return kEnrollee;
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
    case kEnrollee:
      return "enrollee";
  }
  return "nobody";
}

absl::Status CheckPermission(const AccessRow& row, const Caller& caller) {
  const Principal principal = PrincipalOf(caller);
  if ((row.allowed & principal) != 0) return absl::OkStatus();
  const std::string method(row.method);
  return MakeError(
      absl::StatusCode::kPermissionDenied,
      absl::StrCat(Described(principal, caller), " may not ", std::string(row.action), " (", method, "); it takes ",
                   Described(row.allowed)),
      {.reason = "PERMISSION_DENIED", .metadata = {{"role", std::string(NameOf(principal))}, {"method", method}}});
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

bool IsDenial(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return true;
    case absl::StatusCode::kNotFound:
      return reason == "ORGANIZATION_NOT_FOUND";
    case absl::StatusCode::kResourceExhausted:
      return reason == "QUOTA_EXCEEDED";
    case absl::StatusCode::kFailedPrecondition:
      return !reason.empty();
    case absl::StatusCode::kAborted:
      return !reason.empty() && reason != "CONCURRENT_MODIFICATION" && reason != "ETAG_MISMATCH";
    default:
      return false;
  }
}

}  // namespace keyferry

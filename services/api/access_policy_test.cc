#include "services/api/access_policy.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "keyferry/v1/audit.pb.h"
#include "keyferry/v1/backups.pb.h"
#include "keyferry/v1/deployments.pb.h"
#include "keyferry/v1/enrollment.pb.h"
#include "keyferry/v1/environments.pb.h"
#include "keyferry/v1/identities.pb.h"
#include "keyferry/v1/keys.pb.h"
#include "keyferry/v1/organizations.pb.h"
#include "keyferry/v1/provisioning.pb.h"
#include "keyferry/v1/regions.pb.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "keyferry/v1/status.pb.h"
#include "libs/common/testing/status_matchers.h"

namespace keyferry {
namespace {

using google::protobuf::DescriptorPool;

// Through a message of each file, so that the linker keeps its descriptors.
template <typename... Messages>
std::vector<std::string> ServicesBeside() {
  return {Messages::descriptor()->file()->service(0)->full_name()...};
}
const std::vector<std::string> kServices =
    ServicesBeside<v1::SecretSet, v1::Deployment, v1::Organization, v1::Region, v1::EnrollmentRequest, v1::AuditRecord,
                   v1::GetKeyStatusRequest, v1::CreateBackupRequest, v1::RevokedIdentity, v1::GetStatusRequest, v1::Hello>();
// On the provisioner's unix socket, whose access is the socket's.
constexpr char kServedByTheProvisioner[] = "Environments";

// Who may call what, written down apart from the code: A admin, M member, D deployer, V viewer, O operator, P
// provisioner, E enrollee.
const std::map<std::string, std::string> kExpected = {
    {"SecretSets/SetSecrets", "AM"},
    {"SecretSets/SetImagePullSecret", "AM"},
    {"SecretSets/GetSecretSet", "AMDV"},
    {"SecretSets/ListSecretSets", "AMDV"},
    {"SecretSets/WatchSecretSets", "AMDV"},
    {"SecretSets/WaitUntilReady", "AMDV"},
    {"SecretSets/UnsetSecret", "AM"},
    {"SecretSets/DeleteSecretSet", "AM"},
    {"SecretSets/ListGenerations", "AMDV"},
    {"SecretSets/RollbackSecretSet", "AM"},
    {"Deployments/CreateDeployment", "AMD"},
    {"Deployments/UpdateDeployment", "AMD"},
    {"Deployments/GetDeployment", "AMDV"},
    {"Deployments/ListDeployments", "AMDV"},
    {"Deployments/DeleteDeployment", "AMD"},
    {"Organizations/CreateOrganization", "O"},
    {"Organizations/ListOrganizations", "O"},
    {"Organizations/DeleteOrganization", "O"},
    {"Organizations/UpdateQuota", "O"},
    {"Organizations/GetQuota", "AO"},
    {"Organizations/GetProperties", "AMDVO"},
    {"Organizations/UpdateProperties", "AO"},
    {"Organizations/CreateApiKey", "AO"},
    {"Organizations/ListApiKeys", "AO"},
    {"Organizations/RotateApiKey", "AO"},
    {"Organizations/RevokeApiKey", "AO"},
    {"Organizations/WhoAmI", "AMDVOP"},
    {"Regions/CreateRegion", "O"},
    {"Regions/ListRegions", "AMDVOP"},
    {"Regions/GetRegion", "O"},
    {"Regions/Resync", "O"},
    {"Regions/CreateEnrollmentToken", "O"},
    {"Regions/RevokeProvisioners", "O"},
    {"Provisioning/Sync", "P"},
    {"Enrollment/BeginEnrollment", "E"},
    {"Enrollment/CompleteEnrollment", "E"},
    {"Enrollment/RenewCertificate", "P"},
    {"Enrollment/BeginSealingKeyChange", "P"},
    {"Enrollment/CompleteSealingKeyChange", "P"},
    {"Audit/ListAuditRecords", "AO"},
    {"Audit/GetAuditHead", "AO"},
    {"Keys/RotateOrganizationKey", "O"},
    {"Keys/RewrapKeys", "O"},
    {"Keys/GetKeyStatus", "O"},
    {"Backups/CreateBackup", "O"},
    {"Backups/ListBackups", "O"},
    {"Identities/RevokeIdentity", "O"},
    {"Identities/ListRevokedIdentities", "O"},
    {"Status/GetStatus", "O"},
};

const std::map<char, Caller> kCallers = {
    {'A', {.role = Role::kAdmin}},  {'M', {.role = Role::kMember}},         {'D', {.role = Role::kDeployer}},
    {'V', {.role = Role::kViewer}}, {'O', {.kind = CallerKind::kOperator}}, {'P', {.kind = CallerKind::kProvisioner}},
    {'E', {.kind = CallerKind::kEnrollee}},
};

// Every service of the wire protos in the source tree, linked or not.
std::set<std::string> ServicesInProtoFiles() {
  std::set<std::string> names;
  const std::filesystem::path root = std::filesystem::path(__FILE__).parent_path() / "../../proto/keyferry/v1";
  for (const auto& file : std::filesystem::directory_iterator(root)) {
    std::ifstream lines(file.path());
    for (std::string line; std::getline(lines, line);) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      if (words[0] == "service") names.insert("keyferry.v1." + words[1]);
    }
  }
  return names;
}

TEST(AccessPolicyTest, TableListsExactlyTheRpcsOfTheServices) { EXPECT_THAT(CheckAccessTable(kServices), IsOk()); }

TEST(AccessPolicyTest, NoServiceOfTheProtoFilesIsForgotten) {
  std::set<std::string> served(kServices.begin(), kServices.end());
  served.insert(std::string("keyferry.v1.") + kServedByTheProvisioner);
  EXPECT_EQ(ServicesInProtoFiles(), served);
}

TEST(AccessPolicyTest, AServiceWithoutRowsStopsTheStart) {
  std::vector<std::string> services = kServices;
  services.push_back(v1::Environment::descriptor()->file()->service(0)->full_name());
  const absl::Status status = CheckAccessTable(services);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("Environments/GetEnvironment has no row"));
}

TEST(AccessPolicyTest, ARowWithoutAnRpcStopsTheStart) {
  std::vector<std::string> services = kServices;
  services.pop_back();
  EXPECT_THAT(std::string(CheckAccessTable(services).message()),
              testing::HasSubstr("row Provisioning/Sync has no RPC"));
}

TEST(AccessPolicyTest, EveryRpcIsAllowedToExactlyTheExpectedCallers) {
  ASSERT_EQ(AccessTable().size(), kExpected.size());
  for (const auto& [method, expected] : kExpected) {
    const AccessRow* row = FindAccess(method);
    ASSERT_NE(row, nullptr) << method;
    for (const auto& [letter, caller] : kCallers) {
      const absl::Status status = CheckPermission(*row, caller);
      if (expected.find(letter) != std::string::npos) {
        EXPECT_THAT(status, IsOk()) << method << " " << letter;
      } else {
        EXPECT_THAT(status, FailsWith(absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED"))
            << method << " " << letter;
      }
    }
  }
}

TEST(AccessPolicyTest, ARefusalSaysWhatIsNotAllowedAndToWhomItIs) {
  const auto text = [](const char* method, const Caller& caller) {
    const absl::Status refused = CheckPermission(*FindAccess(method), caller);
    return std::string(refused.message());
  };
  const Caller viewer{.principal = "apiKey:abcdefghij", .role = Role::kViewer};
  EXPECT_EQ(text("SecretSets/SetSecrets", viewer),
            "a key with role viewer may not write secrets (SecretSets/SetSecrets); it takes an admin or a member");
  EXPECT_EQ(text("Deployments/CreateDeployment", viewer),
            "a key with role viewer may not deploy agents (Deployments/CreateDeployment); it takes an admin, a member or a "
            "deployer");
  EXPECT_EQ(text("Organizations/ListApiKeys", {.principal = "spiffe://x/service", .role = Role::kMember}),
            "a caller with role member may not list API keys (Organizations/ListApiKeys); it takes an admin or an operator");
  EXPECT_EQ(text("SecretSets/SetSecrets", {.kind = CallerKind::kOperator}),
            "an operator may not write secrets (SecretSets/SetSecrets); it takes an admin or a member");
  EXPECT_EQ(text("Regions/CreateRegion", viewer),
            "a key with role viewer may not create regions (Regions/CreateRegion); it takes an operator");
  for (const AccessRow& row : AccessTable()) EXPECT_FALSE(row.action.empty()) << row.method;
}

// Operators alone may call these, and name the organization that they work on.
const std::set<std::string_view> kOperatorsWorkOnOne = {"Organizations/DeleteOrganization", "Keys/RotateOrganizationKey"};

TEST(AccessPolicyTest, ARequestWithAnOrganizationIsScopedToIt) {
  for (const std::string_view method : kOperatorsWorkOnOne) EXPECT_EQ(FindAccess(method)->allowed, kSystemOperator) << method;
  for (const AccessRow& row : AccessTable()) {
    const std::vector<std::string> parts = absl::StrSplit(std::string(row.method), '/');
    const auto* service = DescriptorPool::generated_pool()->FindServiceByName("keyferry.v1." + parts[0]);
    const auto* request = service->FindMethodByName(parts[1])->input_type();
    const bool in_deployment = request->FindFieldByName("deployment") != nullptr;
    const bool names_one = request->FindFieldByName("organization") != nullptr || in_deployment;
    EXPECT_EQ(row.scope != Scope::kSystem, names_one && !kOperatorsWorkOnOne.contains(row.method)) << row.method;
  }
}

TEST(AccessPolicyTest, ARoleThatIsNoneMayDoNothing) {
  const Caller caller{.role = static_cast<Role>(0)};
  for (const AccessRow& row : AccessTable())
    EXPECT_THAT(CheckPermission(row, caller), StatusIs(absl::StatusCode::kPermissionDenied)) << row.method;
}

// Rows of docs/access.md look like `| SecretSets/SetSecrets | ● | ● | | | | | |`.
TEST(AccessPolicyTest, DocumentShowsTheSameTable) {
  std::ifstream document(std::filesystem::path(__FILE__).parent_path() / "../../docs/access.md");
  std::map<std::string, std::string> shown;
  for (std::string line; std::getline(document, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 10 || cells[1].find('/') == std::string::npos) continue;
    std::string& allowed = shown[std::string(absl::StripAsciiWhitespace(cells[1]))];
    for (size_t i = 0; i < 7; ++i) {
      if (cells[i + 2].find("●") != std::string::npos) allowed += "AMDVOPE"[i];
    }
  }
  EXPECT_EQ(shown, kExpected);
}

}  // namespace
}  // namespace keyferry

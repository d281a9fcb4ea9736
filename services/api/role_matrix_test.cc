// Every RPC by every caller, every organization that it may name and every state of its credential, through a real
// server with the real services on both doors. testing/role_matrix.txt says what must come out.
#include <gmock/gmock.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "libs/common/error.h"
#include "libs/common/testing/status_matchers.h"
#include "libs/rpc/credentials.h"
#include "libs/storage/keys.h"
#include "services/api/access_policy.h"
#include "services/api/audit_reader.h"
#include "services/api/audit_service.h"
#include "services/api/audit_trail.h"
#include "services/api/backup_service.h"
#include "services/api/deployment_service.h"
#include "services/api/enrollment.h"
#include "services/api/enrollment_service.h"
#include "services/api/identity_service.h"
#include "services/api/key_rotation.h"
#include "services/api/key_service.h"
#include "services/api/organization_service.h"
#include "services/api/provisioning_service.h"
#include "services/api/region_authority.h"
#include "services/api/region_directory.h"
#include "services/api/region_provisioners.h"
#include "services/api/region_reseal.h"
#include "services/api/region_service.h"
#include "services/api/regions.h"
#include "services/api/secret_set_service.h"
#include "services/api/status_service.h"
#include "services/api/testing/edge_scene.h"
#include "services/api/testing/generic_call.h"

namespace keyferry {
namespace {

constexpr char kLetIn[] = "LET_IN";
constexpr char kDomain[] = "spiffe://keyferry.test";
constexpr int kOrganizations = 4;
constexpr std::string_view kNamed[kOrganizations] = {"acme", "other", "ghost", ""};

// The real guard's answer; who is let in gets no further, so that no use case has to be fit for an empty request.
class LettingIn final : public Guard {
 public:
  explicit LettingIn(Guard& guard) : guard_(guard) {}
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, std::string_view method,
                                const std::string& organization, Body) override {
    return guard_.Run(context, method, organization, [](const Caller&, const Done& done) { done(LetIn()); });
  }
  absl::StatusOr<Caller> Admit(const grpc::CallbackServerContext& context, std::string_view method,
                               const std::string& organization) override {
    const absl::StatusOr<Caller> caller = guard_.Admit(context, method, organization);
    return caller.ok() ? absl::StatusOr<Caller>(LetIn()) : caller;
  }

 private:
  static absl::Status LetIn() { return MakeError(absl::StatusCode::kAborted, "let in", {.reason = kLetIn}); }
  Guard& guard_;
};

// Records nothing.
class NoTrail final : public StoredAuditTrail {
 public:
  void Denied(const Caller&, std::string_view, const absl::Status&) override {}
  AuditTrailHealth Health() const override { return {}; }
};

char LetterOf(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  if (absl::IsAborted(status) && reason == kLetIn) return 'A';
  if (absl::IsPermissionDenied(status) && reason == "PERMISSION_DENIED") return 'D';
  if (absl::IsNotFound(status) && reason == "ORGANIZATION_NOT_FOUND") return 'N';
  if (absl::IsInvalidArgument(status) && reason == "INVALID_ORGANIZATION") return 'I';
  if (absl::IsUnauthenticated(status) && (reason == "UNAUTHENTICATED" || reason == "IDENTITY_REVOKED")) return 'U';
  return '?';
}

enum Column { kAdmin, kMember, kDeployer, kViewer, kOperator, kProvisioner, kEnrolleeColumn, kColumns };
constexpr const char* kColumnNames[kColumns] = {"admin",    "member",      "deployer", "viewer",
                                                "operator", "provisioner", "enrollee"};

// By RPC, a cell of kOrganizations letters a column.
std::map<std::string, std::vector<std::string>> ExpectedMatrix() {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() / "testing/role_matrix.txt");
  std::map<std::string, std::vector<std::string>> matrix;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string method;
    words >> method;
    for (std::string cell; words >> cell;) matrix[method].push_back(cell);
  }
  return matrix;
}

struct Credential {
  std::string name;
  Column column;
  std::shared_ptr<grpc::Channel> channel;
  CallMetadata metadata;
};

// Of an answer's parts, each as it is but for the name that the caller itself gave. (The order of a map's entries on
// the wire is chance.)
std::string PartsOf(const GenericAnswer& answer) {
  std::string parts = absl::StrCat(answer.status.message(), "|", answer.details.size());
  const std::optional<ErrorDetails> details = DetailsOf(answer.status);
  if (!details) return parts;
  absl::StrAppend(&parts, "|", details->reason, "|", details->retry_after.has_value(), "|",
                  absl::StrJoin(details->blockers, ","));
  for (const auto& [key, value] : details->metadata) absl::StrAppend(&parts, "|", key, "=", value);
  for (const FieldViolation& violation : details->violations)
    absl::StrAppend(&parts, "|", violation.field, ":", violation.description);
  return parts;
}

class RoleMatrixTest : public testing::Test {
 protected:
  RoleMatrixTest() {
    for (const char* name : {"acme", "other"}) EXPECT_THAT(scene_.MakeOrganization(name), IsOk());
    scene_.PutRegion("us-west");
    services_ = NewServices();
    std::vector<grpc::Service*> served;
    for (const auto& service : services_) served.push_back(service.get());
    server_ = *RpcServer::Start(
        served, {Door{{.address = "127.0.0.1:0"}, *MutualTlsServerCredentials(scene_.authority.Issue({}))},
                 Door{{.address = "127.0.0.1:0"}, *TlsServerCredentials(scene_.authority.Issue({}))}});
  }
  ~RoleMatrixTest() override { server_->Shutdown(absl::Seconds(5)); }

  std::vector<std::unique_ptr<grpc::Service>> NewServices() {
    const FactSources facts{.clock = scene_.clock,
                            .regions = *regions_,
                            .barrier = *scene_.barrier,
                            .root_keys = *scene_.root_keys,
                            .audit = trail_};
    std::vector<std::unique_ptr<grpc::Service>> services;
    services.push_back(NewSecretSetsService(guard_, *scene_.deps));
    services.push_back(NewDeploymentsService(guard_, *scene_.deps));
    services.push_back(NewOrganizationsService(guard_, *scene_.organizations, *scene_.api_keys));
    services.push_back(NewRegionsService(guard_, *regions_, *provisioners_, *tokens_));
    services.push_back(NewProvisioningService(guard_, directory_));
    services.push_back(NewEnrollmentService(guard_, *enrollment_));
    services.push_back(NewAuditService(guard_, audit_));
    services.push_back(NewKeysService({.guard = guard_,
                                       .store = scene_.writer->store,
                                       .barrier = *scene_.barrier,
                                       .root_keys = *scene_.root_keys,
                                       .rotation = *rotation_,
                                       .reseal = *reseal_}));
    services.push_back(NewBackupsService(guard_, nullptr, *scene_.writer));
    services.push_back(NewIdentitiesService(guard_, *scene_.revoked_identities, "keyferry.test"));
    services.push_back(NewStatusService({.guard = guard_, .store = scene_.writer->store, .sources = facts}));
    return services;
  }

  std::shared_ptr<grpc::Channel> Inner(const std::string& path, absl::Time expiry) {
    const TlsFiles files = scene_.authority.Issue({.uris = {absl::StrCat(kDomain, path)}, .not_after = expiry});
    return NewChannel(server_->addresses()[0], *TlsChannelCredentials(files));
  }
  std::shared_ptr<grpc::Channel> Edge() {
    TlsFiles files = scene_.authority.Issue({});
    files.certificate_chain = files.private_key = "";
    return NewChannel(server_->addresses()[1], *TlsChannelCredentials(files));
  }

  std::string MakeToken() {
    absl::Notification made;
    std::string text;
    tokens_->Make("us-west", "test", [&](const absl::StatusOr<NewEnrollmentToken>& token) {
      text = std::string(token->text.Access());
      made.Notify();
    });
    made.WaitForNotification();
    return text;
  }

  // All callers, `id` telling them from others; each certificate ends then, each key a minute from now.
  std::vector<Credential> MakeCredentials(const std::string& id, absl::Time certificate_expiry) {
    const std::shared_ptr<grpc::Channel> edge = Edge();
    std::vector<Credential> made;
    for (int role = kAdmin; role <= kViewer; ++role) {
      const auto key = scene_.MakeApiKey({.organization = "acme",
                                          .role = static_cast<Role>(role + 1),
                                          .author = "test",
                                          .time_to_live = absl::Minutes(1)});
      key_ids_.push_back(key->api_key.id);
      made.push_back({absl::StrCat("key of ", kColumnNames[role]),
                      static_cast<Column>(role),
                      edge,
                      {{"authorization", absl::StrCat("Bearer ", std::string(key->text.Access()))}}});
      AddCertificate(made, absl::StrCat("/organization/acme/role/", kColumnNames[role], "/service/", id),
                     static_cast<Column>(role), certificate_expiry);
    }
    AddCertificate(made, absl::StrCat("/operator/", id), kOperator, certificate_expiry);
    AddCertificate(made, absl::StrCat("/region/us-west/provisioner/", id), kProvisioner, certificate_expiry);
    made.push_back({"token of enrollee", kEnrolleeColumn, edge, {{"authorization", "Bearer " + MakeToken()}}});
    return made;
  }
  void AddCertificate(std::vector<Credential>& made, const std::string& path, Column column, absl::Time expiry) {
    spiffe_ids_.push_back(absl::StrCat(kDomain, path));
    made.push_back({"certificate " + path, column, Inner(path, expiry), {}});
  }

  void RevokeAll() {
    for (const std::string& id : key_ids_) ASSERT_THAT(scene_.RevokeApiKey("acme", id), IsOk());
    for (const std::string& id : spiffe_ids_) ASSERT_THAT(scene_.RevokeIdentity(id), IsOk());
    absl::Notification done;
    RunTransaction(
        *scene_.writer,
        [&](Transaction& transaction) -> absl::Status {
          ASSIGN_OR_RETURN(const auto region, transaction.Get<RegionRow>(keys::Region("us-west")));
          transaction.Put(keys::Region("us-west"), Encode(region->value));
          return tokens_->RevokeIn(transaction, "us-west");
        },
        [&](const absl::StatusOr<Revision>& revoked) {
          EXPECT_THAT(revoked, IsOk());
          done.Notify();
        });
    done.WaitForNotification();
  }

  // One letter an organization.
  std::string CellOf(const Credential& credential, std::string_view method) {
    std::string cell;
    for (const std::string_view organization : kNamed) {
      const GenericAnswer answer = CallAny(credential.channel, method, std::string(organization), credential.metadata);
      cell += LetterOf(answer.status);
      EXPECT_NE(cell.back(), '?') << method << " " << credential.name << " " << organization << ": " << answer.status;
    }
    return cell;
  }

  EdgeScene scene_;
  RegionDirectory directory_{{.writer = *scene_.writer, .clock = scene_.clock, .on_rewind = [] {}}};
  std::unique_ptr<Regions> regions_ = Regions::Create(*scene_.writer, scene_.clock, directory_);
  std::unique_ptr<EnrollmentTokens> tokens_ = EnrollmentTokens::Create(*scene_.writer, scene_.keyring, scene_.clock);
  std::unique_ptr<RegionProvisioners> provisioners_ =
      RegionProvisioners::Create({.writer = *scene_.writer,
                                  .clock = scene_.clock,
                                  .directory = directory_,
                                  .tokens = *tokens_,
                                  .revoked_identities = *scene_.revoked_identities,
                                  .trust_domain = "keyferry.test"});
  std::unique_ptr<RegionAuthority> authority_ =
      *RegionAuthority::Create(*scene_.writer, scene_.clock, {.trust_domain = "keyferry.test"});
  std::unique_ptr<Enrollment> enrollment_ =
      Enrollment::Create({.deps = *scene_.deps, .tokens = *tokens_, .authority = *authority_});
  NoTrail trail_;
  AuditReader audit_{*scene_.barrier, scene_.clock, nullptr};
  std::unique_ptr<KeyRotation> rotation_ = KeyRotation::Create(
      {.writer = *scene_.writer, .barrier = *scene_.barrier, .root_keys = *scene_.root_keys, .clock = scene_.clock});
  std::unique_ptr<RegionReseal> reseal_ = RegionReseal::Create(*scene_.deps);
  std::unique_ptr<Guard> real_guard_ = NewGuard({.peers = *scene_.peers,
                                                 .api_keys = *scene_.api_keys,
                                                 .executor = *scene_.executor,
                                                 .clock = scene_.clock,
                                                 .enrollment_tokens = tokens_.get(),
                                                 .revoked_identities = scene_.revoked_identities.get()});
  LettingIn guard_{*real_guard_};
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<RpcServer> server_;
  std::vector<std::string> key_ids_;
  std::vector<std::string> spiffe_ids_;
};

TEST_F(RoleMatrixTest, EveryRpcHasALineAndEveryLineAnRpc) {
  std::set<std::string> listed;
  std::set<std::string> served;
  for (const auto& [method, cells] : ExpectedMatrix()) {
    listed.insert(method);
    EXPECT_EQ(cells.size(), static_cast<size_t>(kColumns)) << method;
    for (const std::string& cell : cells) EXPECT_EQ(cell.size(), static_cast<size_t>(kOrganizations)) << method;
  }
  for (const AccessRow& row : AccessTable()) served.insert(std::string(row.method));
  EXPECT_EQ(listed, served);
}

TEST_F(RoleMatrixTest, WhoIsActiveGetsAsFarAsTheMatrixSays) {
  const auto expected = ExpectedMatrix();
  for (const Credential& credential : MakeCredentials("active", absl::Now() + absl::Hours(1))) {
    for (const auto& [method, cells] : expected)
      EXPECT_EQ(CellOf(credential, method), cells[credential.column]) << method << " " << credential.name;
  }
}

TEST_F(RoleMatrixTest, WhoHasNoCredentialOrOneOfAnotherDoorIsNobody) {
  const Credential anonymous{"nobody", kAdmin, Edge(), {}};
  const std::vector<Credential> active = MakeCredentials("active", absl::Now() + absl::Hours(1));
  for (const auto& [method, cells] : ExpectedMatrix()) {
    EXPECT_EQ(CellOf(anonymous, method), "UUUU") << method;
    for (const Credential& credential : active) {
      if (credential.metadata.empty()) continue;
      const Credential misplaced{credential.name, credential.column, active[1].channel, credential.metadata};
      EXPECT_EQ(CellOf(misplaced, method), "UUUU") << method << " at the inner door: " << credential.name;
    }
  }
}

TEST_F(RoleMatrixTest, AnExpiredCredentialIsNobodys) {
  const std::vector<Credential> credentials = MakeCredentials("expired", absl::Now() + absl::Hours(1));
  // Handshakes are made while the certificates still count.
  for (const Credential& credential : credentials) EXPECT_EQ(CellOf(credential, "Regions/GetRegion").size(), 4U);
  scene_.clock.Advance(absl::Now() + absl::Hours(1) - scene_.clock.Now());
  for (const Credential& credential : credentials) {
    for (const auto& [method, cells] : ExpectedMatrix())
      EXPECT_EQ(CellOf(credential, method), "UUUU") << method << " " << credential.name;
  }
}

TEST_F(RoleMatrixTest, ARevokedCredentialIsNobodys) {
  const std::vector<Credential> credentials = MakeCredentials("revoked", absl::Now() + absl::Hours(1));
  RevokeAll();
  for (const Credential& credential : credentials) {
    for (const auto& [method, cells] : ExpectedMatrix())
      EXPECT_EQ(CellOf(credential, method), "UUUU") << method << " " << credential.name;
  }
}

TEST_F(RoleMatrixTest, AForeignOrganizationIsAnsweredAsAnAbsentOne) {
  for (const Credential& credential : MakeCredentials("active", absl::Now() + absl::Hours(1))) {
    if (credential.column > kViewer) continue;
    for (const auto& [method, cells] : ExpectedMatrix()) {
      const GenericAnswer foreign = CallAny(credential.channel, method, "other", credential.metadata);
      const GenericAnswer absent = CallAny(credential.channel, method, "ghost", credential.metadata);
      EXPECT_EQ(foreign.status.code(), absent.status.code());
      EXPECT_EQ(absl::StrReplaceAll(PartsOf(foreign), {{"other", "ghost"}}), PartsOf(absent))
          << method << " " << credential.name;
    }
  }
}

}  // namespace
}  // namespace keyferry

#include "services/api/testing/edge_scene.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include "absl/synchronization/notification.h"
#include "libs/rpc/credentials.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/memory_store.h"
#include "services/api/identity_service.h"
#include "services/api/organization_service.h"
#include "services/api/secret_set_service.h"

namespace keyferry {
namespace {

// What `start` hands to its callback.
template <typename Answer>
Answer Await(const std::function<void(std::function<void(Answer)>)>& start) {
  absl::Notification done;
  std::optional<Answer> answer;
  start([&](Answer given) {
    answer.emplace(std::move(given));
    done.Notify();
  });
  done.WaitForNotification();
  return *std::move(answer);
}

}  // namespace

EdgeScene::EdgeScene(const EdgeSceneOptions& options) : memory(NewMemoryStore()) {
  term = *memory->AcquireWriter(Lineage::kKeep);
  barrier = *Barrier::Open(*memory, *root_keys, term);
  writer = std::make_unique<Writer>(Writer{barrier->store(), *executor, [this] { return term; }});
  quotas = Quotas::Create(writer->store);
  deps = std::make_unique<UseCaseDeps>(UseCaseDeps{
      .writer = *writer, .barrier = *barrier, .sender = *sender, .clock = clock, .quotas = quotas.get()});
  api_keys = ApiKeys::Create(*writer, keyring, clock);
  organizations = Organizations::Create(*deps);
  revoked_identities = *RevokedIdentities::Create(*writer, clock);
  addresses = *ClientAddresses::Create(options.proxies);
  if (options.limits) {
    limits = CallLimits::Create(*options.limits, clock, [this](const std::string& organization) {
      return organizations->Get(organization)->row.max_calls_per_second;
    });
  }
  peers = *PeerIdentities::Create("keyferry.test");
  guard = NewGuard({.peers = *peers,
                    .api_keys = *api_keys,
                    .executor = *executor,
                    .clock = clock,
                    .audit = options.audit,
                    .limits = limits.get(),
                    .enrollment_tokens = options.enrollment_tokens,
                    .revoked_identities = revoked_identities.get(),
                    .addresses = addresses.get(),
                    .max_calls_waiting = kSceneCallsWaiting});
  regions = std::make_unique<ScriptedRegions>(*guard);
  organization_service = NewOrganizationsService(*guard, *organizations, *api_keys, limits.get());
  identity_service = NewIdentitiesService(*guard, *revoked_identities, "keyferry.test");
  secret_set_service = NewSecretSetsService(*guard, *deps);
  server = *RpcServer::Start(
      {regions.get(), organization_service.get(), identity_service.get(), secret_set_service.get()},
      {Door{{.address = "127.0.0.1:0"}, *MutualTlsServerCredentials(authority.Issue({}))},
       Door{{.address = "unix:" + directory.File("edge")}, grpc::InsecureServerCredentials()}});
}

EdgeScene::~EdgeScene() { Stop(); }

void EdgeScene::Stop() {
  server->Shutdown(absl::Seconds(5));
  executor->Close();
}

absl::StatusOr<NamedOrganization> EdgeScene::MakeOrganization(const std::string& name,
                                                              const std::string& display_name) {
  return Await<absl::StatusOr<NamedOrganization>>(
      [&](auto done) { organizations->Make(name, display_name, std::move(done)); });
}

absl::StatusOr<NewApiKey> EdgeScene::MakeApiKey(const std::string& organization, Role role,
                                                const std::string& display_name) {
  return MakeApiKey({.organization = organization, .display_name = display_name, .role = role, .author = "test"});
}

absl::StatusOr<NewApiKey> EdgeScene::MakeApiKey(const ApiKeyRequest& request) {
  return Await<absl::StatusOr<NewApiKey>>([&](auto done) { api_keys->Make(request, std::move(done)); });
}

absl::StatusOr<NewApiKey> EdgeScene::RotateApiKey(const ApiKeyRotation& rotation) {
  return Await<absl::StatusOr<NewApiKey>>([&](auto done) { api_keys->Rotate(rotation, std::move(done)); });
}

absl::StatusOr<NamedRevokedIdentity> EdgeScene::RevokeIdentity(const std::string& spiffe_id) {
  return Await<absl::StatusOr<NamedRevokedIdentity>>(
      [&](auto done) { revoked_identities->Revoke(spiffe_id, "test", "", std::move(done)); });
}

absl::StatusOr<OrganizationQuota> EdgeScene::UpdateQuota(const std::string& organization, const QuotaChange& change) {
  return Await<absl::StatusOr<OrganizationQuota>>(
      [&](auto done) { organizations->UpdateQuota(organization, change, std::move(done)); });
}

absl::Status EdgeScene::RevokeApiKey(const std::string& organization, const std::string& id) {
  return Await<absl::Status>([&](auto done) { api_keys->Revoke(organization, id, std::move(done)); });
}

absl::StatusOr<OrganizationProperties> EdgeScene::UpdateProperties(const std::string& organization,
                                                                   const std::optional<std::string>& region) {
  return Await<absl::StatusOr<OrganizationProperties>>(
      [&](auto done) { organizations->UpdateProperties(organization, region, std::move(done)); });
}

void EdgeScene::PutRegion(const std::string& code) {
  Commit commit{.term = term,
                .mutations = {{.key = keys::Region(code), .value = Encode(RegionRow{.create_time = clock.Now()})}}};
  if (!CommitAndWait(barrier->store(), std::move(commit)).ok()) std::abort();
}

std::shared_ptr<grpc::Channel> EdgeScene::EdgeChannel() {
  return NewChannel(server->addresses()[1], grpc::InsecureChannelCredentials());
}

std::shared_ptr<grpc::Channel> EdgeScene::InnerChannel(const std::string& spiffe_id) {
  return NewChannel(server->addresses()[0], *TlsChannelCredentials(authority.Issue({.uris = {spiffe_id}})));
}

}  // namespace keyferry

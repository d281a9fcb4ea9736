#include "services/api/testing/edge_scene.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include "absl/synchronization/notification.h"
#include "libs/rpc/credentials.h"
#include "libs/storage/keys.h"
#include "libs/storage/testing/memory_store.h"
#include "services/api/organization_service.h"

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

EdgeScene::EdgeScene() : memory(NewMemoryStore()) {
  term = *memory->AcquireWriter(Lineage::kKeep);
  barrier = *Barrier::Open(*memory, keyring, term);
  writer = std::make_unique<Writer>(Writer{barrier->store(), *executor, [this] { return term; }});
  api_keys = ApiKeys::Create(*writer, keyring, clock);
  organizations = Organizations::Create({.writer = *writer, .barrier = *barrier, .sender = *sender, .clock = clock});
  peers = *PeerIdentities::Create("keyferry.test");
  guard = NewGuard({.peers = *peers,
                    .api_keys = *api_keys,
                    .executor = *executor,
                    .clock = clock,
                    .max_calls_waiting = kSceneCallsWaiting});
  regions = std::make_unique<ScriptedRegions>(*guard);
  organization_service = NewOrganizationsService(*guard, *organizations, *api_keys);
  server = *RpcServer::Start({regions.get(), organization_service.get()},
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
  const ApiKeyRequest request{
      .organization = organization, .display_name = display_name, .role = role, .author = "test"};
  return Await<absl::StatusOr<NewApiKey>>([&](auto done) { api_keys->Make(request, std::move(done)); });
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

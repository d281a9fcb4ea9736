// A store in memory with what stands at the API's door, behind a real server on both doors, for tests.
#ifndef KEYFERRY_SERVICES_API_TESTING_EDGE_SCENE_H_
#define KEYFERRY_SERVICES_API_TESTING_EDGE_SCENE_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "keyferry/v1/regions.grpc.pb.h"
#include "libs/common/testing/fake_clock.h"
#include "libs/common/testing/temp_dir.h"
#include "libs/rpc/server.h"
#include "libs/rpc/testing/test_authority.h"
#include "services/api/api_keys.h"
#include "services/api/call_limits.h"
#include "services/api/client_address.h"
#include "services/api/closable_executor.h"
#include "services/api/guard.h"
#include "services/api/organizations.h"
#include "services/api/quotas.h"
#include "services/api/revoked_identities.h"

namespace keyferry {

// Whatever a test wants ListRegions to do.
class ScriptedRegions final : public v1::Regions::CallbackService {
 public:
  explicit ScriptedRegions(Guard& guard) : guard_(guard) {}
  grpc::ServerUnaryReactor* ListRegions(grpc::CallbackServerContext* context, const v1::ListRegionsRequest*,
                                        v1::ListRegionsResponse*) override {
    if (quick) return guard_.RunQuick(context, "Regions/ListRegions", "", quick, body);
    return guard_.Run(context, "Regions/ListRegions", "", body);
  }
  // May be empty.
  Guard::Quick quick;
  Guard::Body body = [](const Caller&, const Guard::Done& done) { done(absl::OkStatus()); };

 private:
  Guard& guard_;
};

// Small enough for a test to reach.
inline constexpr int kSceneCallsWaiting = 3;

struct EdgeSceneOptions {
  // Absent: no limits.
  std::optional<CallLimitSettings> limits;
  // As --edge_proxies.
  std::vector<std::string> proxies;
  // May be null.
  AuditTrail* audit = nullptr;
  EnrollmentTokens* enrollment_tokens = nullptr;
};

class EdgeScene {
 public:
  explicit EdgeScene(const EdgeSceneOptions& options = {});
  ~EdgeScene();

  // Waits for the answer.
  absl::StatusOr<NamedOrganization> MakeOrganization(const std::string& name, const std::string& display_name = "");
  absl::StatusOr<NewApiKey> MakeApiKey(const std::string& organization, Role role,
                                       const std::string& display_name = "a key");
  absl::StatusOr<NewApiKey> MakeApiKey(const ApiKeyRequest& request);
  absl::StatusOr<NewApiKey> RotateApiKey(const ApiKeyRotation& rotation);
  absl::Status RevokeApiKey(const std::string& organization, const std::string& id);
  absl::StatusOr<NamedRevokedIdentity> RevokeIdentity(const std::string& spiffe_id);
  absl::StatusOr<OrganizationQuota> UpdateQuota(const std::string& organization, const QuotaChange& change);
  absl::StatusOr<OrganizationProperties> UpdateProperties(const std::string& organization,
                                                          const std::optional<std::string>& region);
  void PutRegion(const std::string& code);

  std::shared_ptr<grpc::Channel> EdgeChannel();
  // Ends the server and all work of calls, so that the log is whole.
  void Stop();
  // A certificate with this SPIFFE id.
  std::shared_ptr<grpc::Channel> InnerChannel(const std::string& spiffe_id);

  TempDir directory;
  FakeClock clock;
  TestAuthority authority{directory.path(), "ca"};
  std::unique_ptr<Store> memory;
  Keyring keyring = Keyring::ForTest();
  std::unique_ptr<RootKeys> root_keys = KeyringRootKeys::Create(Keyring::ForTest());
  Term term;
  std::unique_ptr<Barrier> barrier;
  std::unique_ptr<SealedBoxSender> sender = SealedBoxSender::Create(clock);
  std::unique_ptr<ClosableExecutor> executor = std::make_unique<ClosableExecutor>(2);
  std::unique_ptr<Writer> writer;
  std::unique_ptr<Quotas> quotas;
  std::unique_ptr<UseCaseDeps> deps;
  std::unique_ptr<ApiKeys> api_keys;
  std::unique_ptr<Organizations> organizations;
  std::unique_ptr<RevokedIdentities> revoked_identities;
  std::unique_ptr<const ClientAddresses> addresses;
  std::unique_ptr<CallLimits> limits;
  std::unique_ptr<PeerIdentities> peers;
  std::unique_ptr<Guard> guard;
  std::unique_ptr<ScriptedRegions> regions;
  std::unique_ptr<grpc::Service> organization_service;
  std::unique_ptr<grpc::Service> identity_service;
  std::unique_ptr<grpc::Service> secret_set_service;
  std::unique_ptr<RpcServer> server;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_EDGE_SCENE_H_

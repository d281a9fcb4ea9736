// Deployments: agents bound to a secret set and an image pull secret. Deploy is the gate: one commit that pins
// everything its judgement rests on, and stores the deployment with the sealed values of the very generations it
// judged.
//
// Invariants:
//   D1  A deployment holds entries of a generation that its region had proved when the deployment was committed.
//   D2  SetUse rows name exactly the sets that deployments bind; whoever writes one also writes the set's SetUses row.
//   D3  An agent's region never changes.
//
// Errors: InvalidArgument INVALID_*, REGION_MISMATCH, UNKNOWN_REGION; NotFound ORGANIZATION_NOT_FOUND,
// SECRET_SET_NOT_FOUND, DEPLOYMENT_NOT_FOUND; AlreadyExists DEPLOYMENT_EXISTS, REQUEST_ID_REUSED; Aborted as CheckGate,
// ETAG_MISMATCH, CONCURRENT_MODIFICATION.
//
// Thread safety: all methods from any thread. Writes do not block; `done` is called once, on a thread of the executor
// or of the store.
#ifndef KEYFERRY_SERVICES_API_DEPLOYMENTS_H_
#define KEYFERRY_SERVICES_API_DEPLOYMENTS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/model/secret_set.h"
#include "services/api/deployment_view.h"
#include "services/api/use_case.h"

namespace keyferry {

struct DeploymentPage {
  // Without their sealed objects.
  std::vector<DeploymentView> deployments;
  std::string next_page_token;
};

struct DeploymentListing {
  std::string organization;
  // Empty: all regions.
  std::string region;
  int page_size = 0;
  std::string page_token;
};

enum class IfExists {
  kRefuse,
  kUpdate,
  // Update; NotFound when there is none.
  kRequire,
  // As kRequire, but a deployment that has not failed, has just these fields and is bound to its sets' newest
  // generations is answered as it is. Nothing is written then, and the gate is not asked: a set that is PENDING or
  // FAILED once more at a generation that the deployment carries already (its region was wiped) refuses nothing. A
  // FAILED one is deployed anew.
  kRequireSkipUnchanged,
};

struct DeployRequest {
  // Organization, agent, region (may be empty), image, secret_set, image_pull_secret, required_keys, client_data; the
  // rest follows.
  Deployment wanted;
  IfExists if_exists = IfExists::kRefuse;
  WriteConditions conditions;
  // What the request id stands for; empty: `wanted`.
  std::string request_content;
};

class DeploymentMemory;

class Deployments {
 public:
  using Done = std::function<void(absl::StatusOr<DeploymentView>)>;

  // The deps' referents outlive this and every call of it.
  explicit Deployments(const UseCaseDeps& deps);

  void Deploy(DeployRequest request, Done done) const;
  // What Deploy would answer to this validate_only request at this moment, where memory tells that it is yes; its times are at most kMaxSharedAge
  // ago. Never waits. Null: ask Deploy.
  std::shared_ptr<const SharedDeploymentView> DeployFromMemory(const DeployRequest& request) const;
  // The values leave the region's store in the background.
  void Delete(std::string organization, std::string agent, WriteConditions conditions,
              std::function<void(absl::Status)> done) const;
  absl::StatusOr<DeploymentView> Get(const std::string& organization, const std::string& agent) const;
  // In order of agent. A page with a token may be short or empty (paging.h). InvalidArgument INVALID_PAGE_SIZE,
  // INVALID_PAGE_TOKEN.
  absl::StatusOr<DeploymentPage> List(const DeploymentListing& listing) const;

 private:
  const UseCaseDeps deps_;
  const std::shared_ptr<DeploymentMemory> memory_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_DEPLOYMENTS_H_

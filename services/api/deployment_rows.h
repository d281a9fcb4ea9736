// The rows of a deployment: itself, the uses of the sets it binds, its placement, and the answer a request id
// remembers.
//
// Thread safety: free functions over a confined Transaction.
#ifndef KEYFERRY_SERVICES_API_DEPLOYMENT_ROWS_H_
#define KEYFERRY_SERVICES_API_DEPLOYMENT_ROWS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/api/deployment_gate.h"
#include "services/api/deployments.h"

namespace keyferry {

ObjectId ObjectIdOf(const Deployment& deployment);
absl::Status DeploymentNotFound(const std::string& agent);

// With organization and agent filled in; pinned. nullopt when there is none.
absl::StatusOr<std::optional<Deployment>> FindDeployment(Transaction& transaction, const std::string& organization,
                                                         const std::string& agent);
// The deployment, read a moment ago, and what the region holds of it, as they were at one moment: a write in between has the deployment read
// again. Pins nothing; says nothing of the region's connection. nullopt: it is gone by now.
absl::StatusOr<std::optional<DeploymentView>> CurrentView(const UseCaseDeps& deps, Deployment deployment);

// Names what is bound: uids, generations, keys.
void Bind(const BoundSets& sets, Deployment& deployment);
// Takes over the sealed entries and the data keys they name, with their escrow copies, unopened. DataLoss.
absl::Status TakeSealedValues(Transaction& transaction, const BoundSets& sets, const std::string& organization_uid,
                              Deployment& deployment);

// `before`: the deployment that it replaces.
absl::Status WriteDeployment(Transaction& transaction, const std::optional<Deployment>& before,
                             const Deployment& deployment, absl::Time now);
absl::Status EraseDeployment(Transaction& transaction, const Deployment& deployment, absl::Time now);

// For the audit record of a write that leaves this deployment, or erases it.
void DescribeChange(Transaction& transaction, const Deployment& deployment);

// What it takes in a page, or a little more.
size_t WireBytesOf(const DeploymentView& view);

std::string EncodeAnswer(const DeploymentView& view);
// DataLoss.
absl::StatusOr<DeploymentView> DecodeAnswer(const Deployment& wanted, const std::string& bytes);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_DEPLOYMENT_ROWS_H_

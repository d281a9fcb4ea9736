// Every method of the API that the gateway calls, with its messages. api_calls_test holds the table against the service
// descriptors.
#ifndef KEYFERRY_SERVICES_GATEWAY_API_METHODS_H_
#define KEYFERRY_SERVICES_GATEWAY_API_METHODS_H_

#include "keyferry/v1/deployments.pb.h"
#include "keyferry/v1/organizations.pb.h"
#include "keyferry/v1/regions.pb.h"
#include "keyferry/v1/secret_sets.pb.h"
#include "services/gateway/api_calls.h"

namespace keyferry::gateway {

inline constexpr ApiMethod<v1::SetSecretsRequest, v1::SetSecretsResponse> kSetSecrets{
    "/keyferry.v1.SecretSets/SetSecrets", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::SetImagePullSecretRequest, v1::SetSecretsResponse> kSetImagePullSecret{
    "/keyferry.v1.SecretSets/SetImagePullSecret", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::GetSecretSetRequest, v1::SecretSet> kGetSecretSet{"/keyferry.v1.SecretSets/GetSecretSet",
                                                                                 Repeat::kSafe};
inline constexpr ApiMethod<v1::ListSecretSetsRequest, v1::ListSecretSetsResponse> kListSecretSets{
    "/keyferry.v1.SecretSets/ListSecretSets", Repeat::kSafe};
inline constexpr ApiMethod<v1::WatchSecretSetsRequest, v1::WatchSecretSetsResponse> kWatchSecretSets{
    "/keyferry.v1.SecretSets/WatchSecretSets", Repeat::kSafe};
// It only reads, but its handler repeats it, with the time that is left: the same request again would wait too long.
inline constexpr ApiMethod<v1::WaitUntilReadyRequest, v1::SecretSet> kWaitUntilReady{
    "/keyferry.v1.SecretSets/WaitUntilReady", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::UnsetSecretRequest, v1::SetSecretsResponse> kUnsetSecret{
    "/keyferry.v1.SecretSets/UnsetSecret", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::DeleteSecretSetRequest, v1::DeleteSecretSetResponse> kDeleteSecretSet{
    "/keyferry.v1.SecretSets/DeleteSecretSet", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::ListGenerationsRequest, v1::ListGenerationsResponse> kListGenerations{
    "/keyferry.v1.SecretSets/ListGenerations", Repeat::kSafe};
inline constexpr ApiMethod<v1::RollbackSecretSetRequest, v1::SetSecretsResponse> kRollbackSecretSet{
    "/keyferry.v1.SecretSets/RollbackSecretSet", Repeat::kUnsafe};

inline constexpr ApiMethod<v1::CreateDeploymentRequest, v1::Deployment> kCreateDeployment{
    "/keyferry.v1.Deployments/CreateDeployment", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::UpdateDeploymentRequest, v1::Deployment> kUpdateDeployment{
    "/keyferry.v1.Deployments/UpdateDeployment", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::GetDeploymentRequest, v1::Deployment> kGetDeployment{
    "/keyferry.v1.Deployments/GetDeployment", Repeat::kSafe};
inline constexpr ApiMethod<v1::ListDeploymentsRequest, v1::ListDeploymentsResponse> kListDeployments{
    "/keyferry.v1.Deployments/ListDeployments", Repeat::kSafe};
inline constexpr ApiMethod<v1::DeleteDeploymentRequest, v1::DeleteDeploymentResponse> kDeleteDeployment{
    "/keyferry.v1.Deployments/DeleteDeployment", Repeat::kUnsafe};

inline constexpr ApiMethod<v1::GetPropertiesRequest, v1::Properties> kGetProperties{
    "/keyferry.v1.Organizations/GetProperties", Repeat::kSafe};
inline constexpr ApiMethod<v1::UpdatePropertiesRequest, v1::Properties> kUpdateProperties{
    "/keyferry.v1.Organizations/UpdateProperties", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse> kCreateApiKey{
    "/keyferry.v1.Organizations/CreateApiKey", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::ListApiKeysRequest, v1::ListApiKeysResponse> kListApiKeys{
    "/keyferry.v1.Organizations/ListApiKeys", Repeat::kSafe};
inline constexpr ApiMethod<v1::RevokeApiKeyRequest, v1::RevokeApiKeyResponse> kRevokeApiKey{
    "/keyferry.v1.Organizations/RevokeApiKey", Repeat::kUnsafe};
inline constexpr ApiMethod<v1::WhoAmIRequest, v1::WhoAmIResponse> kWhoAmI{"/keyferry.v1.Organizations/WhoAmI",
                                                                          Repeat::kSafe};
inline constexpr ApiMethod<v1::ListRegionsRequest, v1::ListRegionsResponse> kListRegions{
    "/keyferry.v1.Regions/ListRegions", Repeat::kSafe};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_API_METHODS_H_

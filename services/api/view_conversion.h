// What readers see, onto the wire: the row (libs/rpc/model_conversion) and what the region said about it.
//
// Thread safety: free functions.
#ifndef KEYFERRY_SERVICES_API_VIEW_CONVERSION_H_
#define KEYFERRY_SERVICES_API_VIEW_CONVERSION_H_

#include "services/api/deployments.h"
#include "services/api/set_status.h"

namespace keyferry {

namespace v1 {
class Deployment;
class SecretSet;
}  // namespace v1

void ToProto(const SecretSetView& view, v1::SecretSet& wire);
void ToProto(const DeploymentView& view, v1::Deployment& wire);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_VIEW_CONVERSION_H_

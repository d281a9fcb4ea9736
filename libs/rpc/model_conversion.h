// Model values to and from the wire: the only place, beside the services themselves, where the two meet. What comes in
// is not yet checked.
//
// Thread safety: free functions.
#ifndef KEYFERRY_RPC_MODEL_CONVERSION_H_
#define KEYFERRY_RPC_MODEL_CONVERSION_H_

#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"
#include "keyferry/v1/common.pb.h"
#include "libs/model/placement.h"
#include "libs/model/secret_set.h"

namespace keyferry {

namespace v1 {
class Deployment;
class Generation;
class SecretSet;
}  // namespace v1

// Infinite times become the zero Timestamp.
google::protobuf::Timestamp ToProto(absl::Time time);
v1::Readiness ToProto(Readiness readiness);

// All but what the region said: readiness, error_message, ready_generation, conditions.
void ToProto(const SecretSet& set, v1::SecretSet& wire);
// All but readiness, error_message and ready_generation.
void ToProto(const Deployment& deployment, v1::Deployment& wire);
void ToProto(const Generation& generation, v1::Generation& wire);

// What a caller may say of a deployment; output-only fields and the etag are left.
Deployment FromProto(const v1::Deployment& wire);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_MODEL_CONVERSION_H_

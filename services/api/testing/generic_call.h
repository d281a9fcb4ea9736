// Any RPC of the API by its name, with what the request's `organization` shall be: for tests that ask all of them the
// same question.
#ifndef KEYFERRY_SERVICES_API_TESTING_GENERIC_CALL_H_
#define KEYFERRY_SERVICES_API_TESTING_GENERIC_CALL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace keyferry {

// Each a metadata key and value.
using CallMetadata = std::vector<std::pair<std::string, std::string>>;

struct GenericAnswer {
  absl::Status status;
  // google.rpc.Status, as it travelled.
  std::string details;
};

// `method`: `Service/Rpc`. One message goes out, of the request's type, with `organization` in its field of that name,
// or in that of its `deployment`, where it has one. Streams are asked in the same way; what they say before their
// status is not looked at.
GenericAnswer CallAny(const std::shared_ptr<grpc::Channel>& channel, std::string_view method,
                      const std::string& organization, const CallMetadata& metadata);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_GENERIC_CALL_H_

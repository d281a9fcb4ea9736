// Any RPC of the API by its name, with an empty request.
#ifndef KEYFERRY_SERVICES_API_TESTING_EMPTY_CALL_H_
#define KEYFERRY_SERVICES_API_TESTING_EMPTY_CALL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace keyferry {

// `method`: `Service/Rpc`; `token` empty: none is sent.
absl::Status CallWithEmptyRequest(const std::shared_ptr<grpc::Channel>& channel, std::string_view method, const std::string& token,
                                  absl::Duration timeout);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_TESTING_EMPTY_CALL_H_

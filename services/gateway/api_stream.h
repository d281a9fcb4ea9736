// A server stream of the API.
//
// Thread safety: see ApiStream.
#ifndef KEYFERRY_SERVICES_GATEWAY_API_STREAM_H_
#define KEYFERRY_SERVICES_GATEWAY_API_STREAM_H_

#include <memory>
#include <string>

#include "services/gateway/api_calls.h"
#include "services/gateway/api_lane.h"
#include "services/gateway/pending_call.h"

namespace keyferry::gateway {

// Sends the request, and answers once it is under way. Errors as ApiCalls::Open.
asio::awaitable<absl::StatusOr<std::unique_ptr<ApiStream>>> OpenStream(const Request& caller, std::string path,
                                                                       const google::protobuf::Message& request,
                                                                       std::shared_ptr<ApiLane> lane,
                                                                       std::shared_ptr<CallQueues> queues);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_API_STREAM_H_

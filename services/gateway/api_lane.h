// Connections to the API that one kind of call has for itself; and what every call carries and comes back with.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_GATEWAY_API_LANE_H_
#define KEYFERRY_SERVICES_GATEWAY_API_LANE_H_

#include <google/protobuf/message.h>
#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "services/gateway/api_calls.h"

namespace keyferry::gateway {

// Made by make_shared.
class ApiLane : public std::enable_shared_from_this<ApiLane> {
 public:
  // For calls that take minutes: one must not wait for another to end.
  struct Limits {
    // At a time, of everybody and of one caller.
    int calls;
    int calls_per_caller;
    // Of ResourceExhausted: `TOO_MANY_STREAMS`; and what there is too much of: `event streams`.
    std::string_view reason;
    std::string_view noun;
  };
  // Connects, all at once, with the first call.
  ApiLane(const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials, int connection_count,
          std::optional<Limits> limits = std::nullopt);

  struct Connection {
    std::shared_ptr<grpc::Channel> channel;
    grpc::GenericStub stub;
    // Its calls are best completed on one queue.
    size_t index;
    int call_count;
  };
  struct Release {
    std::shared_ptr<ApiLane> lane;
    // As counted_ has it; 0 where nobody counts.
    uint64_t caller;
    void operator()(Connection* connection) const;
  };
  // The right to one call.
  using Turn = std::unique_ptr<Connection, Release>;

  // On the soundest connection: one that is there, before one that is being made, before one that just failed; among
  // those the one with the fewest calls, since one with as many as the API allows makes the next call wait. A call on a
  // failed one would fail at once. caller: null for a call without one. ResourceExhausted, with a retry time: beyond
  // the limits.
  absl::StatusOr<Turn> Take(const Request* caller);
  int call_count() const;

 private:
  struct Rank;

  Rank RankOf(const Connection& connection, grpc_connectivity_state state) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Count(uint64_t caller) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::optional<Limits> limits_;
  mutable absl::Mutex mutex_;
  int call_count_ ABSL_GUARDED_BY(mutex_) = 0;
  // Calls by CallerKey, of callers that have some.
  absl::flat_hash_map<uint64_t, int> counted_ ABSL_GUARDED_BY(mutex_);
  // Where the search begins.
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  // Each connection's call_count is guarded too.
  std::vector<std::unique_ptr<Connection>> connections_;
};

// The caller's Authorization values, each as it is, its request id, and the address that it came from, as this gateway's only x-forwarded-for: what
// the caller says of itself there is dropped. Unauthenticated UNAUTHENTICATED: one that gRPC
// cannot carry, or longer than any key.
absl::Status AddCaller(const Request& caller, grpc::ClientContext& context);

absl::StatusOr<grpc::ByteBuffer> Serialize(const google::protobuf::Message& message);
// Internal: the bytes are no such message. Empties the buffer.
absl::Status Deserialize(grpc::ByteBuffer& bytes, google::protobuf::Message& message);

// `cancelled`: by this side. `repeat`: what a timeout advises. What the API did not say itself becomes Unavailable
// API_UNAVAILABLE or DeadlineExceeded API_TIMEOUT, without gRPC's text, which has addresses in it.
absl::Status StatusOfCall(const grpc::Status& status, bool cancelled, Repeat repeat);

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_API_LANE_H_

#include "services/gateway/api_lane.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/status_conversion.h"
#include "services/gateway/caller_key.h"

namespace keyferry::gateway {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(1);
constexpr absl::Duration kRetryLong = absl::Seconds(10);
// Of all Authorization values together: the API takes 8 KiB of metadata, and a key has 50 bytes.
constexpr size_t kMaxAuthorizationBytes = 4096;
constexpr size_t kBytesPerEntry = 64;

using Messages = grpc::SerializationTraits<google::protobuf::Message>;

bool IsPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

absl::Status Refused(std::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, message, {.reason = "UNAUTHENTICATED"});
}

// A code without a reason is gRPC's own, or one that the API's library made before any of our code ran.
bool IsReasoned(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return !reason.empty() && reason != absl::StatusCodeToString(status.code());
}

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

absl::Status TooMany(const ApiLane::Limits& limits, int limit, absl::string_view whose) {
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat(whose, limit, " ", Absl(limits.noun), " here, the most there may be; end one, or try again later"),
      {.reason = std::string(limits.reason), .metadata = {{"limit", absl::StrCat(limit)}}, .retry_after = kRetryLong});
}

// Says what to do, which is another thing where the call changes something.
absl::Status TimedOut(Repeat repeat) {
  return MakeError(
      absl::StatusCode::kDeadlineExceeded,
      repeat == Repeat::kSafe
          ? "the API did not answer in time; try again"
          : "the API did not answer in time, and what was asked for may be done or not; look whether it was done, "
            "then try again",
      {.reason = "API_TIMEOUT"});
}

}  // namespace

// Smaller is better.
struct ApiLane::Rank {
  int soundness;
  int call_count;
  auto operator<=>(const Rank&) const = default;
};

ApiLane::ApiLane(const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                 int connection_count, std::optional<Limits> limits)
    : limits_(limits) {
  for (size_t i = 0; i < static_cast<size_t>(connection_count); ++i) {
    const std::shared_ptr<grpc::Channel> channel = NewUnsharedChannel(target, credentials);
    connections_.emplace_back(
        new Connection{.channel = channel, .stub = grpc::GenericStub(channel), .index = i, .call_count = 0});
  }
}

ApiLane::Rank ApiLane::RankOf(const Connection& connection, grpc_connectivity_state state) const {
  enum { kThere, kIdle, kBeingMade, kFull, kFailed, kFullForMinutes };
  const int count = connection.call_count;
  if (count >= kMaxConcurrentStreams) return {limits_ ? kFullForMinutes : kFull, count};
  if (state == GRPC_CHANNEL_READY) return {kThere, count};
  if (state == GRPC_CHANNEL_IDLE) return {kIdle, count};
  return {state == GRPC_CHANNEL_CONNECTING ? kBeingMade : kFailed, count};
}

absl::Status ApiLane::Count(uint64_t caller) {
  if (limits_) {
    if (call_count_ == limits_->calls) return TooMany(*limits_, limits_->calls, "there are ");
    int& count = counted_[caller];
    if (count == limits_->calls_per_caller) return TooMany(*limits_, limits_->calls_per_caller, "this credential has ");
    ++count;
  }
  ++call_count_;
  return absl::OkStatus();
}

absl::StatusOr<ApiLane::Turn> ApiLane::Take(const Request* caller) {
  const uint64_t key = limits_ && caller != nullptr ? CallerKey(*caller) : 0;
  // Also makes the idle ones connect.
  absl::InlinedVector<grpc_connectivity_state, 8> states;
  for (const auto& connection : connections_) states.push_back(connection->channel->GetState(true));

  const absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Count(key));
  const auto rank = [&](size_t i) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return RankOf(*connections_[i], states[i]); };
  size_t chosen = next_;
  for (size_t i = 1; i < connections_.size(); ++i) {
    const size_t other = (next_ + i) % connections_.size();
    if (rank(other) < rank(chosen)) chosen = other;
  }
  next_ = (next_ + 1) % connections_.size();
  ++connections_[chosen]->call_count;
  return Turn(connections_[chosen].get(), Release{shared_from_this(), key});
}

void ApiLane::Release::operator()(Connection* connection) const {
  const absl::MutexLock lock(&lane->mutex_);
  --lane->call_count_;
  --connection->call_count;
  const auto counted = lane->counted_.find(caller);
  if (counted != lane->counted_.end() && --counted->second == 0) lane->counted_.erase(counted);
}

int ApiLane::call_count() const {
  const absl::MutexLock lock(&mutex_);
  return call_count_;
}

absl::Status AddCaller(const Request& caller, grpc::ClientContext& context) {
  size_t bytes = 0;
  for (const Header& header : caller.headers) {
    if (!absl::EqualsIgnoreCase(header.name, "authorization")) continue;
    if (!IsPrintable(header.value))
      return Refused("the Authorization header has a byte that no API key has; send `Authorization: Bearer <API key>`");
    bytes += header.value.size() + kBytesPerEntry;
    if (bytes > kMaxAuthorizationBytes)
      return Refused("the Authorization header is longer than any API key; send `Authorization: Bearer <API key>`");
    context.AddMetadata("authorization", header.value);
  }
  context.AddMetadata("x-request-id", caller.id);
  if (!caller.remote_address.empty()) context.AddMetadata("x-forwarded-for", caller.remote_address);
  return absl::OkStatus();
}

absl::StatusOr<grpc::ByteBuffer> Serialize(const google::protobuf::Message& message) {
  grpc::ByteBuffer bytes;
  bool owned = false;
  const grpc::Status status = Messages::Serialize(message, &bytes, &owned);
  if (!status.ok()) return absl::InternalError("a request of ours does not serialize");
  return bytes;
}

absl::Status Deserialize(grpc::ByteBuffer& bytes, google::protobuf::Message& message) {
  return Messages::Deserialize(&bytes, &message).ok() ? absl::OkStatus()
                                                      : absl::InternalError("the API's answer does not parse");
}

absl::Status StatusOfCall(const grpc::Status& status, bool cancelled, Repeat repeat) {
  absl::Status converted = FromGrpcStatus(status);
  if (converted.ok() || IsReasoned(converted)) return converted;
  if (absl::IsCancelled(converted) && cancelled)
    return absl::CancelledError("the client went away, or the gateway ends");
  if (absl::IsDeadlineExceeded(converted)) return TimedOut(repeat);
  if (absl::IsUnavailable(converted) ? ReasonOf(converted).empty() : absl::IsCancelled(converted)) {
    return MakeError(absl::StatusCode::kUnavailable, "the API cannot be reached at the moment; try again",
                     {.reason = "API_UNAVAILABLE", .retry_after = kRetryAfter});
  }
  return converted;
}

}  // namespace keyferry::gateway

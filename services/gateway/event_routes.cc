#include <boost/asio/awaitable.hpp>
#include <utility>

#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/contract_words.h"
#include "services/gateway/event_stream.h"
#include "services/gateway/json_object.h"
#include "services/gateway/request_values.h"
#include "services/gateway/secret_routes.h"

namespace keyferry::gateway {
namespace {

constexpr char kEventStream[] = "text/event-stream";
constexpr FieldName kNames[] = {{"secret_set", "set"}};

absl::StatusOr<v1::WatchSecretSetsRequest> ParseWatch(const Request& request) {
  RETURN_IF_ERROR(CheckQuery(request, {"region"}));
  if (!Accepts(request, kEventStream)) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     "this answers server-sent events: send Accept: text/event-stream", {.reason = "NOT_ACCEPTABLE"});
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> region, QueryValue(request, "region"));
  v1::WatchSecretSetsRequest watch;
  watch.set_organization(request.Parameter("org"));
  watch.set_secret_set(request.Parameter("set"));
  watch.set_region(region.value_or(""));
  return watch;
}

// A watch of one set follows a name, whether there is such a set or not; who asks for it wants to be told.
asio::awaitable<absl::Status> CheckExists(const Request& request, ApiCalls& api) {
  v1::GetSecretSetRequest call;
  call.set_organization(request.Parameter("org"));
  call.set_secret_set(request.Parameter("set"));
  const absl::StatusOr<v1::SecretSet> set = co_await api.Call(request, kGetSecretSet, std::move(call));
  co_return InContractWords(set.status(), kNames);
}

// The first change decides between an error's answer and a stream.
asio::awaitable<absl::Status> ReadFirst(EventSource& source) {
  v1::WatchSecretSetsResponse change;
  absl::Status status;
  const bool more = co_await source.stream->Read(change, status);
  if (more) {
    source.text = EventText(change);
    co_return absl::OkStatus();
  }
  if (!status.ok()) co_return InContractWords(status, kNames);
  co_return MakeError(absl::StatusCode::kUnavailable, "the API ended the stream before its first event; try again",
                      {.reason = "API_UNAVAILABLE", .retry_after = absl::Seconds(1)});
}

Answer StreamAnswer(std::shared_ptr<EventSource> source) {
  Answer answer{.content_type = kEventStream};
  // For proxies that would hold events back.
  answer.headers.push_back({"X-Accel-Buffering", "no"});
  answer.stream = [source = std::move(source)](BodyStream& client) { return SendEvents(source, client); };
  return answer;
}

}  // namespace

AnswerTask WatchWithKeepAlive(const Request& request, ApiCalls& api, absl::Duration keep_alive) {
  const absl::StatusOr<v1::WatchSecretSetsRequest> watch = ParseWatch(request);
  if (!watch.ok()) co_return watch.status();
  if (!watch->secret_set().empty()) {
    const absl::Status exists = co_await CheckExists(request, api);
    if (!exists.ok()) co_return exists;
  }
  absl::StatusOr<std::unique_ptr<ApiStream>> stream = co_await api.Open(request, kWatchSecretSets.path, *watch);
  if (!stream.ok()) co_return InContractWords(stream.status(), kNames);
  auto source = std::make_shared<EventSource>();
  source->stream = *std::move(stream);
  source->request_id = request.id;
  source->keep_alive = keep_alive;
  const absl::Status first = co_await ReadFirst(*source);
  if (!first.ok()) co_return first;
  co_return StreamAnswer(std::move(source));
}

AnswerTask WatchSecretSets(const Request& request, ApiCalls& api) {
  return WatchWithKeepAlive(request, api, kKeepAliveInterval);
}

}  // namespace keyferry::gateway

#include "services/gateway/secret_routes.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/contract_words.h"
#include "services/gateway/error_answer.h"
#include "services/gateway/json_object.h"
#include "services/gateway/listing.h"
#include "services/gateway/readiness_wait.h"
#include "services/gateway/request_values.h"
#include "services/gateway/secret_views.h"

namespace keyferry::gateway {
namespace {

// The published command line and SDK before 1.0.
constexpr std::string_view kOldClient = "PipecatCloudCLI/0.";

constexpr FieldName kNames[] = {{"secret_set", "set"}, {"page_size", "limit"}, {"page_token", "after"}};

template <typename CallT>
CallT NamedCall(const Request& request) {
  CallT call;
  call.set_organization(request.Parameter("org"));
  call.set_secret_set(request.Parameter("set"));
  return call;
}

absl::Status UnreadableByName(const v1::SecretSet& set) {
  const std::string& name = set.name();
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("\"", name,
                   "\" is an image pull secret, and image pull secrets cannot be read by name; its region and "
                   "status are in the list of secret sets, GET /secrets, in its events, GET /secrets/",
                   name, "/events, and in the answer to a wait, GET /secrets/", name, "?wait=ready"),
      {.reason = "INVALID_SECRET_SET_TYPE", .metadata = {{"secretSet", name}}});
}

// kOldClient looks at the code to know whether an image pull secret is there before it deploys with one: any but this,
// and it gives up.
absl::StatusOr<Answer> PullSecretAnswer(const Request& request, const v1::SecretSet& set) {
  const absl::Status unreadable = UnreadableByName(set);
  if (!request.FindHeader("User-Agent").value_or("").starts_with(kOldClient)) return unreadable;
  Answer answer = ErrorAnswer(unreadable, request.id);
  nlohmann::json body = nlohmann::json::parse(answer.body);
  body["code"] = "400";
  answer.body = body.dump();
  return answer;
}

// Who waited is told of any set whether it was worth it.
Answer WaitAnswer(const Request& request, const ReadinessWait& wait, const v1::SecretSet& set) {
  const bool has_keys = set.type() != v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET;
  Json body = has_keys ? SetDetailsJson(set) : SetEntryJson(set);
  body["timedOut"] = TimedOut(wait, set);
  return TaggedAnswer(request, set.etag(), body);
}

asio::awaitable<absl::StatusOr<v1::SecretSet>> FetchSet(const Request& request, ApiCalls& api) {
  auto call = NamedCall<v1::GetSecretSetRequest>(request);
  co_return co_await api.Call(request, kGetSecretSet, std::move(call));
}

}  // namespace

AnswerTask ListSecretSets(const Request& request, ApiCalls& api) {
  auto query = ParseList<v1::ListSecretSetsRequest>(request, {"region", "limit", "after"});
  if (!query.ok()) co_return query.status();
  ListText text("sets", "secret sets", kMaxListedSets);
  for (int pages = 0; pages < kMaxListPages && text.Fits(); ++pages) {
    const absl::StatusOr<v1::ListSecretSetsResponse> page = co_await api.Call(request, kListSecretSets, query->call);
    if (!page.ok()) co_return InContractWords(page.status(), kNames);
    for (const v1::SecretSet& set : page->secret_sets()) text.Add(SetEntryJson(set));
    const std::string& next = page->next_page_token();
    if (query->is_one_page || (next.empty() && text.Fits())) co_return std::move(text).Finish(next);
    query->call.set_page_token(next);
  }
  co_return text.TooLarge();
}

AnswerTask GetSecretSet(const Request& request, ApiCalls& api) {
  if (const absl::Status query = CheckQuery(request, {"wait", "timeout", "generation"}); !query.ok()) co_return query;
  const absl::StatusOr<std::optional<ReadinessWait>> wait = ParseReadinessWait(request);
  if (!wait.ok()) co_return wait.status();
  absl::StatusOr<v1::SecretSet> set;
  if (*wait) {
    set = co_await AwaitReady(request, api, **wait);
  } else {
    set = co_await FetchSet(request, api);
  }
  if (!set.ok()) co_return InContractWords(set.status(), kNames);
  if (*wait) co_return WaitAnswer(request, **wait, *set);
  if (set->type() == v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET) co_return PullSecretAnswer(request, *set);
  co_return TaggedAnswer(request, set->etag(), SetDetailsJson(*set));
}

AnswerTask ListGenerations(const Request& request, ApiCalls& api) {
  if (const absl::Status query = CheckQuery(request, {}); !query.ok()) co_return query;
  auto call = NamedCall<v1::ListGenerationsRequest>(request);
  const absl::StatusOr<v1::ListGenerationsResponse> kept =
      co_await api.Call(request, kListGenerations, std::move(call));
  if (!kept.ok()) co_return InContractWords(kept.status(), kNames);
  Json list = Json::array();
  for (const v1::Generation& generation : kept->generations()) list.push_back(GenerationJson(generation));
  Json body;
  body["generations"] = std::move(list);
  co_return JsonAnswer(200, body);
}

}  // namespace keyferry::gateway

#include <nlohmann/json.hpp>
#include <utility>

#include "libs/common/status_macros.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/contract_words.h"
#include "services/gateway/json_object.h"
#include "services/gateway/request_values.h"
#include "services/gateway/secret_routes.h"
#include "services/gateway/secret_views.h"
#include "services/gateway/secret_writes.h"

namespace keyferry::gateway {
namespace {

constexpr FieldName kNames[] = {
    {"secret_set", "set"}, {"request_id", "Idempotency-Key"}, {"etag", "If-Match"}, {"validate_only", "validateOnly"}};

template <typename CallT>
absl::Status FillWrite(const Request& request, CallT& call) {
  ASSIGN_OR_RETURN(const WriteHeaders headers, WriteHeadersOf(request));
  call.set_organization(request.Parameter("org"));
  call.set_secret_set(request.Parameter("set"));
  call.set_etag(headers.etag);
  call.set_request_id(headers.request_id);
  return absl::OkStatus();
}

absl::StatusOr<v1::DeleteSecretSetRequest> ParseDelete(const Request& request) {
  RETURN_IF_ERROR(CheckQuery(request, {"force", "validateOnly"}));
  v1::DeleteSecretSetRequest call;
  RETURN_IF_ERROR(FillWrite(request, call));
  ASSIGN_OR_RETURN(const bool force, QueryFlag(request, "force"));
  ASSIGN_OR_RETURN(const bool validate_only, QueryFlag(request, "validateOnly"));
  call.set_force(force);
  call.set_validate_only(validate_only);
  return call;
}

absl::StatusOr<v1::UnsetSecretRequest> ParseUnset(const Request& request) {
  RETURN_IF_ERROR(CheckQuery(request, {"validateOnly"}));
  v1::UnsetSecretRequest call;
  RETURN_IF_ERROR(FillWrite(request, call));
  ASSIGN_OR_RETURN(const bool validate_only, QueryFlag(request, "validateOnly"));
  call.set_key(request.Parameter("key"));
  call.set_validate_only(validate_only);
  return call;
}

absl::StatusOr<v1::RollbackSecretSetRequest> ParseRollback(const Request& request) {
  RETURN_IF_ERROR(CheckQuery(request, {}));
  v1::RollbackSecretSetRequest call;
  RETURN_IF_ERROR(FillWrite(request, call));
  ASSIGN_OR_RETURN(const nlohmann::json json, BodyOf(request));
  JsonObject body(json, "");
  const std::optional<int64_t> generation = body.PositiveInteger("generation");
  const auto member = json.find("generation");
  if (member == json.end() || member->is_null()) body.AddViolation("generation", "is missing");
  call.set_validate_only(body.Bool("validateOnly").value_or(false));
  RETURN_IF_ERROR(body.Finish());
  call.set_generation(*generation);
  return call;
}

}  // namespace

AnswerTask PutSecrets(const Request& request, ApiCalls& api) {
  absl::StatusOr<SecretsWrite> write = ParseSecretsWrite(request);
  if (!write.ok()) co_return write.status();
  const bool validate_only = std::visit([](const auto& call) { return call.validate_only(); }, write->call);
  absl::StatusOr<v1::SetSecretsResponse> written;
  if (auto* secrets = std::get_if<v1::SetSecretsRequest>(&write->call)) {
    written = co_await api.Call(request, kSetSecrets, std::move(*secrets));
  } else {
    auto& pull_secret = std::get<v1::SetImagePullSecretRequest>(write->call);
    written = co_await api.Call(request, kSetImagePullSecret, std::move(pull_secret));
  }
  if (!written.ok()) co_return InContractWords(written.status(), write->names);
  co_return WriteAnswer(202, *written, validate_only);
}

AnswerTask DeleteSecretSet(const Request& request, ApiCalls& api) {
  absl::StatusOr<v1::DeleteSecretSetRequest> call = ParseDelete(request);
  if (!call.ok()) co_return call.status();
  const bool validate_only = call->validate_only();
  const absl::StatusOr<v1::DeleteSecretSetResponse> done =
      co_await api.Call(request, kDeleteSecretSet, *std::move(call));
  if (!done.ok()) co_return InContractWords(done.status(), kNames);
  if (validate_only) co_return JsonAnswer(200, {{"status", "OK"}, {"validateOnly", true}});
  co_return OkAnswer();
}

AnswerTask UnsetSecret(const Request& request, ApiCalls& api) {
  absl::StatusOr<v1::UnsetSecretRequest> call = ParseUnset(request);
  if (!call.ok()) co_return call.status();
  const bool validate_only = call->validate_only();
  const absl::StatusOr<v1::SetSecretsResponse> written = co_await api.Call(request, kUnsetSecret, *std::move(call));
  if (!written.ok()) co_return InContractWords(written.status(), kNames);
  co_return WriteAnswer(200, *written, validate_only);
}

AnswerTask RollbackSecretSet(const Request& request, ApiCalls& api) {
  absl::StatusOr<v1::RollbackSecretSetRequest> call = ParseRollback(request);
  if (!call.ok()) co_return call.status();
  const bool validate_only = call->validate_only();
  const absl::StatusOr<v1::SetSecretsResponse> written =
      co_await api.Call(request, kRollbackSecretSet, *std::move(call));
  if (!written.ok()) co_return InContractWords(written.status(), kNames);
  co_return WriteAnswer(202, *written, validate_only);
}

}  // namespace keyferry::gateway

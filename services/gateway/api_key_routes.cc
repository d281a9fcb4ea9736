#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/json_object.h"
#include "services/gateway/organization_routes.h"
#include "services/gateway/role_words.h"
#include "services/gateway/violation_names.h"
#include "services/gateway/wire_values.h"

namespace keyferry::gateway {
namespace {

constexpr std::string_view kPublic = "public";
constexpr std::string_view kPrivate = "private";
constexpr std::array kKeyNames = {FieldName{"display_name", "name"}};

// The contract knows two types of key: one that may be given away, and one that works for its owner.
std::optional<v1::Role> RoleOfType(std::string_view type) {
  if (type == kPublic) return v1::ROLE_VIEWER;
  if (type == kPrivate) return v1::ROLE_MEMBER;
  return std::nullopt;
}

std::string_view TypeOfRole(v1::Role role) { return role == v1::ROLE_VIEWER ? kPublic : kPrivate; }

// What `role` says, else `type`; what is wrong goes to the body's violations.
v1::Role RoleOf(JsonObject& body) {
  const std::optional<std::string> type = body.String("type");
  const std::optional<std::string> word = body.String("role");
  const std::optional<v1::Role> of_type = type ? RoleOfType(*type) : std::nullopt;
  const std::optional<v1::Role> role = word ? ParseRoleWord(*word) : of_type;
  if (type && !of_type) body.AddViolation("type", "must be public (a viewer's key) or private (a member's)");
  if (word && !role) body.AddViolation("role", "must be admin, member, deployer or viewer");
  if (!type && !word && !body.Has("type") && !body.Has("role"))
    body.AddViolation("type", "must be given: public or private");
  if (of_type && role && TypeOfRole(*role) != *type)
    body.AddViolation(
        "type", absl::StrCat("contradicts the role; a key with role ", *word, " is ", std::string(TypeOfRole(*role))));
  return role.value_or(v1::ROLE_UNSPECIFIED);
}

// A key without a name is one that nobody dares to revoke.
std::string NameOf(const nlohmann::json& json, JsonObject& body) {
  const std::optional<std::string> name = body.String("name");
  const auto member = json.find("name");
  const bool absent = member == json.end() || member->is_null();
  if (absent || (name && name->empty())) body.AddViolation("name", "must be given: what the key is for");
  return name.value_or("");
}

absl::StatusOr<v1::CreateApiKeyRequest> CreationOf(const Request& request) {
  if (absl::Status query = CheckQuery(request, {}); !query.ok()) return query;
  const absl::StatusOr<nlohmann::json> body = BodyOf(request);
  if (!body.ok()) return body.status();
  JsonObject object(*body, "");
  v1::CreateApiKeyRequest creation;
  creation.set_organization(request.Parameter("org"));
  creation.set_display_name(NameOf(*body, object));
  creation.set_role(RoleOf(object));
  if (absl::Status valid = object.Finish(); !valid.ok()) return valid;
  return creation;
}

// `text` is the key as it may be shown: whole, once, or its public part.
Json KeyJson(const v1::ApiKey& key, const std::string& text) {
  Json json = {{"id", key.id()},
               {"key", text},
               {"type", TypeOfRole(key.role())},
               {"role", RoleWord(key.role())},
               {"metadata", {{"name", key.display_name()}}},
               {"author", key.author()},
               {"createdAt", TimeText(key.create_time())},
               {"revoked", key.has_revoke_time()}};
  if (key.has_revoke_time()) json["revokedAt"] = TimeText(key.revoke_time());
  return json;
}

}  // namespace

AnswerTask ListApiKeys(const Request& request, ApiCalls& api) {
  if (const absl::Status query = CheckQuery(request, {}); !query.ok()) co_return query;
  v1::ListApiKeysRequest call;
  call.set_organization(request.Parameter("org"));
  const absl::StatusOr<v1::ListApiKeysResponse> listed = co_await api.Call(request, kListApiKeys, std::move(call));
  if (!listed.ok()) co_return listed.status();
  Json body = {{kPublic, Json::array()}, {kPrivate, Json::array()}};
  for (const v1::ApiKey& key : listed->api_keys()) {
    body[std::string(TypeOfRole(key.role()))].push_back(KeyJson(key, absl::StrCat("kf_", key.id(), "_***")));
  }
  co_return JsonAnswer(200, body);
}

AnswerTask CreateApiKey(const Request& request, ApiCalls& api) {
  absl::StatusOr<v1::CreateApiKeyRequest> creation = CreationOf(request);
  if (!creation.ok()) co_return creation.status();
  const absl::StatusOr<v1::CreateApiKeyResponse> created =
      co_await api.Call(request, kCreateApiKey, *std::move(creation));
  if (!created.ok()) co_return RenameFields(created.status(), kKeyNames);
  co_return JsonAnswer(200, KeyJson(created->api_key(), created->key()));
}

AnswerTask RevokeApiKey(const Request& request, ApiCalls& api) {
  if (const absl::Status query = CheckQuery(request, {}); !query.ok()) co_return query;
  v1::RevokeApiKeyRequest call;
  call.set_organization(request.Parameter("org"));
  call.set_id(request.Parameter("id"));
  const absl::StatusOr<v1::RevokeApiKeyResponse> revoked = co_await api.Call(request, kRevokeApiKey, std::move(call));
  if (!revoked.ok()) co_return revoked.status();
  co_return OkAnswer();
}

}  // namespace keyferry::gateway

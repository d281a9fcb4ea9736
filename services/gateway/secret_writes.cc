#include "services/gateway/secret_writes.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "services/gateway/json_object.h"
#include "services/gateway/request_values.h"

namespace keyferry::gateway {
namespace {

#define KEYFERRY_NAMES_OF_ALL_FORMS                                                                                \
  {"secret_set", "set"}, {"request_id", "Idempotency-Key"}, {"etag", "If-Match"}, {"replace_all", "replaceAll"}, { \
    "validate_only", "validateOnly"                                                                                \
  }

constexpr FieldName kListNames[] = {{"entries[i].key", "secrets[i].secretKey"},
                                    {"entries[i].value", "secrets[i].secretValue"},
                                    {"entries", "secrets"},
                                    KEYFERRY_NAMES_OF_ALL_FORMS};
constexpr FieldName kOneKeyNames[] = {{"entries[i].key", "secretKey"},
                                      {"entries[i].value", "secretValue"},
                                      {"entries", "secretKey"},
                                      KEYFERRY_NAMES_OF_ALL_FORMS};
constexpr FieldName kPullSecretNames[] = {{"auth", "secretValue"}, KEYFERRY_NAMES_OF_ALL_FORMS};

#undef KEYFERRY_NAMES_OF_ALL_FORMS

constexpr std::string_view kOtherForm =
    "does not go with `secrets`; put every key into `secrets`, or send one key alone";
constexpr std::string_view kOnlyPull = "is of an image pull secret, which has \"isImagePullSecret\": true";
constexpr std::string_view kNotOfPull =
    "does not go with \"isImagePullSecret\": true, which takes `host` and `secretValue`";

// null is as good as absent.
bool IsThere(const nlohmann::json& json, std::string_view name) {
  const auto member = json.find(name);
  return member != json.end() && !member->is_null();
}

// `json` is what `object` reads.
std::string RequiredString(const nlohmann::json& json, JsonObject& object, std::string_view name) {
  std::optional<std::string> text = object.String(name);
  if (json.is_object() && !IsThere(json, name)) object.AddViolation(name, "is missing");
  return std::move(text).value_or("");
}

void RefuseIf(bool is_there, JsonObject& body, std::string_view member, std::string_view why) {
  if (is_there) body.AddViolation(member, why);
}

// What all three forms have.
struct CommonMembers {
  std::string region;
  bool validate_only = false;
};

CommonMembers ReadCommon(const Request& request, JsonObject& body) {
  const std::optional<std::string> name = body.String("name");
  if (name && *name != request.Parameter("set")) {
    body.AddViolation("name", "must be the name of the set in the address, or be left out");
  }
  const std::optional<std::string> region = body.String("region");
  // An unset variable in a script must not choose the default region.
  if (region && region->empty()) body.AddViolation("region", "must be a region, or be left out for the default region");
  return {.region = region.value_or(""), .validate_only = body.Bool("validateOnly").value_or(false)};
}

absl::Status ReadList(const nlohmann::json& list, JsonObject& body, v1::SetSecretsRequest& call) {
  if (list.empty()) body.AddViolation("secrets", "must hold at least one key and its value; found none");
  if (list.size() > kMaxKeysPerSet) {
    return InvalidFields("INVALID_SECRET_SET_SIZE",
                         {{"secrets", absl::StrCat("must be at most ", kMaxKeysPerSet, " keys; found ", list.size())}});
  }
  for (size_t i = 0; i < list.size(); ++i) {
    JsonObject item(list[i], absl::StrCat("secrets[", i, "]."));
    v1::SecretEntry& entry = *call.add_entries();
    entry.set_key(RequiredString(list[i], item, "secretKey"));
    entry.set_value(RequiredString(list[i], item, "secretValue"));
    body.Absorb(std::move(item));
  }
  return absl::OkStatus();
}

absl::StatusOr<SecretsWrite> ReadPullSecret(const nlohmann::json& json, JsonObject& body) {
  v1::SetImagePullSecretRequest call;
  call.set_host(RequiredString(json, body, "host"));
  call.set_auth(RequiredString(json, body, "secretValue"));
  RefuseIf(body.Array("secrets") != nullptr, body, "secrets", kNotOfPull);
  RefuseIf(body.String("secretKey").has_value(), body, "secretKey", kNotOfPull);
  RefuseIf(body.Bool("replaceAll").value_or(false), body, "replaceAll", kNotOfPull);
  return SecretsWrite{.call = std::move(call), .names = kPullSecretNames};
}

absl::StatusOr<SecretsWrite> ReadSecrets(const nlohmann::json& json, JsonObject& body) {
  v1::SetSecretsRequest call;
  RefuseIf(body.String("host").has_value(), body, "host", kOnlyPull);
  call.set_replace_all(body.Bool("replaceAll").value_or(false));
  const bool has_one = IsThere(json, "secretKey") || IsThere(json, "secretValue");
  const nlohmann::json* list = body.Array("secrets");
  if (IsThere(json, "secrets") || !has_one) {
    RefuseIf(body.String("secretKey").has_value(), body, "secretKey", kOtherForm);
    RefuseIf(body.String("secretValue").has_value(), body, "secretValue", kOtherForm);
    RefuseIf(!IsThere(json, "secrets"), body, "secrets", "is missing: a list of {\"secretKey\", \"secretValue\"}");
    if (list != nullptr) RETURN_IF_ERROR(ReadList(*list, body, call));
    return SecretsWrite{.call = std::move(call), .names = kListNames};
  }
  v1::SecretEntry& entry = *call.add_entries();
  entry.set_key(RequiredString(json, body, "secretKey"));
  entry.set_value(RequiredString(json, body, "secretValue"));
  return SecretsWrite{.call = std::move(call), .names = kOneKeyNames};
}

}  // namespace

absl::StatusOr<SecretsWrite> ParseSecretsWrite(const Request& request) {
  RETURN_IF_ERROR(CheckQuery(request, {}));
  ASSIGN_OR_RETURN(const WriteHeaders headers, WriteHeadersOf(request));
  ASSIGN_OR_RETURN(const nlohmann::json json, BodyOf(request));
  JsonObject body(json, "");
  const CommonMembers common = ReadCommon(request, body);
  const bool is_pull_secret = body.Bool("isImagePullSecret").value_or(false);
  ASSIGN_OR_RETURN(SecretsWrite write, is_pull_secret ? ReadPullSecret(json, body) : ReadSecrets(json, body));
  RETURN_IF_ERROR(body.Finish());
  std::visit(
      [&](auto& call) {
        call.set_organization(request.Parameter("org"));
        call.set_secret_set(request.Parameter("set"));
        call.set_region(common.region);
        call.set_etag(headers.etag);
        call.set_request_id(headers.request_id);
        call.set_validate_only(common.validate_only);
      },
      write.call);
  return write;
}

}  // namespace keyferry::gateway

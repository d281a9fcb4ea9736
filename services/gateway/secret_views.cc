#include "services/gateway/secret_views.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace keyferry::gateway {
namespace {

std::string_view TypeWord(v1::SecretSetType type) {
  return type == v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET ? "imagePullSecret" : "secret";
}

void AddStatus(const v1::SecretSet& set, Json& json) {
  json["region"] = set.region();
  json["status"] = StatusWord(set.readiness());
  if (set.readiness() == v1::READINESS_FAILED) json["errorMessage"] = set.error_message();
}

void AddVersion(const v1::SecretSet& set, Json& json) {
  json["generation"] = set.generation();
  json["readyGeneration"] = set.ready_generation();
  json["etag"] = set.etag();
  json["createdAt"] = TimeText(set.create_time());
  json["updatedAt"] = TimeText(set.update_time());
}

}  // namespace

Json SetEntryJson(const v1::SecretSet& set) {
  Json json = {{"name", set.name()}, {"type", TypeWord(set.type())}};
  AddStatus(set, json);
  AddVersion(set, json);
  return json;
}

Json SetDetailsJson(const v1::SecretSet& set) {
  Json json;
  AddStatus(set, json);
  Json& secrets = json["secrets"] = Json::array();
  for (const std::string& key : set.keys()) secrets.push_back({{"fieldName", key}});
  json["name"] = set.name();
  json["type"] = TypeWord(set.type());
  AddVersion(set, json);
  json["conditions"] = ConditionsJson(set.conditions());
  return json;
}

Json GenerationJson(const v1::Generation& generation) {
  Json keys = Json::array();
  for (const std::string& key : generation.keys()) keys.push_back(key);
  return {{"generation", generation.generation()},
          {"keys", std::move(keys)},
          {"createdAt", TimeText(generation.create_time())},
          {"author", generation.author()}};
}

Answer WriteAnswer(int status, const v1::SetSecretsResponse& written, bool validate_only) {
  const v1::SecretSet& set = written.secret_set();
  Json body = {{"status", "OK"},
               {"region", set.region()},
               {"generation", set.generation()},
               {"etag", set.etag()},
               {"changed", written.changed()}};
  if (validate_only) body["validateOnly"] = true;
  Answer answer = JsonAnswer(status, body);
  answer.headers.push_back({"ETag", absl::StrCat("\"", set.etag(), "\"")});
  return answer;
}

}  // namespace keyferry::gateway

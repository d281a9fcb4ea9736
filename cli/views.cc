#include "cli/views.h"

#include <google/protobuf/timestamp.pb.h>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/time/time.h"

namespace keyferry {
namespace {

using Json = nlohmann::ordered_json;

template <typename Strings>
Json ToArray(const Strings& strings) {
  Json array = Json::array();
  for (const std::string& text : strings) array.push_back(text);
  return array;
}

void PutUnlessEmpty(Json& document, const char* name, const std::string& text) {
  if (!text.empty()) document[name] = text;
}

}  // namespace

std::string ReadinessWord(v1::Readiness readiness) {
  switch (readiness) {
    case v1::READINESS_PENDING:
      return "pending";
    case v1::READINESS_READY:
      return "ready";
    case v1::READINESS_FAILED:
      return "failed";
    default:
      return "unknown";
  }
}

std::string TypeWord(v1::SecretSetType type) {
  return type == v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET ? "imagePullSecret"
         : type == v1::SECRET_SET_TYPE_SECRET          ? "secret"
                                                       : "unknown";
}

std::string RoleWord(v1::Role role) {
  switch (role) {
    case v1::ROLE_ADMIN:
      return "admin";
    case v1::ROLE_MEMBER:
      return "member";
    case v1::ROLE_DEPLOYER:
      return "deployer";
    case v1::ROLE_VIEWER:
      return "viewer";
    default:
      return "";
  }
}

v1::Role RoleOfWord(const std::string& word) {
  for (const v1::Role role : {v1::ROLE_ADMIN, v1::ROLE_MEMBER, v1::ROLE_DEPLOYER, v1::ROLE_VIEWER}) {
    if (RoleWord(role) == word) return role;
  }
  return v1::ROLE_UNSPECIFIED;
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

Json ToDocument(const v1::SecretSet& set) {
  Json document = {{"name", set.name()},
                   {"type", TypeWord(set.type())},
                   {"region", set.region()},
                   {"status", ReadinessWord(set.readiness())}};
  PutUnlessEmpty(document, "errorMessage", set.error_message());
  document["generation"] = set.generation();
  document["readyGeneration"] = set.ready_generation();
  if (set.type() == v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET) {
    document["host"] = set.host();
  } else {
    document["keys"] = ToArray(set.keys());
  }
  document["etag"] = set.etag();
  document["createdAt"] = TimeText(set.create_time());
  document["updatedAt"] = TimeText(set.update_time());
  for (const v1::Condition& condition : set.conditions()) {
    document["conditions"].push_back({{"type", condition.type()},
                                      {"status", condition.status()},
                                      {"reason", condition.reason()},
                                      {"message", condition.message()},
                                      {"observedGeneration", condition.observed_generation()},
                                      {"lastTransitionTime", TimeText(condition.last_transition_time())}});
  }
  return document;
}

Json ToDocument(const v1::Generation& generation) {
  return {{"generation", generation.generation()},
          {"keys", ToArray(generation.keys())},
          {"createdAt", TimeText(generation.create_time())},
          {"author", generation.author()}};
}

Json ToDocument(const v1::Deployment& deployment) {
  Json document = {{"agent", deployment.agent()},
                   {"region", deployment.region()},
                   {"image", deployment.image()},
                   {"status", ReadinessWord(deployment.readiness())}};
  PutUnlessEmpty(document, "errorMessage", deployment.error_message());
  document["generation"] = deployment.generation();
  document["readyGeneration"] = deployment.ready_generation();
  if (!deployment.secret_set().empty()) {
    document["secretSet"] = {{"name", deployment.secret_set()}, {"generation", deployment.secret_set_generation()}};
  }
  if (!deployment.image_pull_secret().empty()) {
    document["imagePullSecret"] = {{"name", deployment.image_pull_secret()},
                                   {"generation", deployment.image_pull_secret_generation()}};
  }
  document["requiredKeys"] = ToArray(deployment.required_keys());
  document["keys"] = ToArray(deployment.keys());
  document["etag"] = deployment.etag();
  document["createdAt"] = TimeText(deployment.create_time());
  document["updatedAt"] = TimeText(deployment.update_time());
  return document;
}

Json ToDocument(const v1::Region& region) {
  Json document = {{"code", region.code()}, {"displayName", region.display_name()}};
  // Tenants are told no more.
  if (!region.has_create_time()) return document;
  if (!region.sealing_key_id().empty()) document["sealingKeyId"] = absl::BytesToHexString(region.sealing_key_id());
  document["previousSealingKeyCount"] = region.previous_sealing_keys_size();
  document["blind"] = region.blind();
  document["pendingCount"] = region.pending_count();
  document["oldestPendingSeconds"] = region.oldest_pending_seconds();
  document["provisioners"] = Json::array();
  for (const v1::Provisioner& provisioner : region.provisioners()) {
    Json shown = {{"id", provisioner.id()}, {"connected", provisioner.connected()}, {"active", provisioner.active()}};
    if (provisioner.connected()) {
      shown["version"] = provisioner.version();
      shown["connectedAt"] = TimeText(provisioner.connect_time());
    }
    if (provisioner.has_enroll_time()) shown["enrolledAt"] = TimeText(provisioner.enroll_time());
    if (provisioner.has_certificate_expire_time())
      shown["certificateExpiresAt"] = TimeText(provisioner.certificate_expire_time());
    if (provisioner.has_revoke_time()) shown["revokedAt"] = TimeText(provisioner.revoke_time());
    document["provisioners"].push_back(std::move(shown));
  }
  document["createdAt"] = TimeText(region.create_time());
  return document;
}

Json ToDocument(const v1::Organization& organization) {
  return {{"name", organization.name()},
          {"displayName", organization.display_name()},
          {"uid", organization.uid()},
          {"createdAt", TimeText(organization.create_time())}};
}

Json ToDocument(const v1::Properties& properties) {
  return {{"defaultRegion", properties.default_region()},
          {"availableRegions", ToArray(properties.available_regions())}};
}

Json ToDocument(const v1::ApiKey& key) {
  Json document = {{"id", key.id()},
                   {"displayName", key.display_name()},
                   {"role", RoleWord(key.role())},
                   {"author", key.author()},
                   {"createdAt", TimeText(key.create_time())}};
  PutUnlessEmpty(document, "expiresAt", TimeText(key.expire_time()));
  PutUnlessEmpty(document, "lastUsedAt", TimeText(key.last_use_time()));
  PutUnlessEmpty(document, "revokedAt", TimeText(key.revoke_time()));
  PutUnlessEmpty(document, "replacedBy", key.replaced_by());
  return document;
}

Json ToDocument(const v1::WhoAmIResponse& caller) {
  return {
      {"principal", caller.principal()}, {"organization", caller.organization()}, {"role", RoleWord(caller.role())}};
}

}  // namespace keyferry

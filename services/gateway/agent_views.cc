#include "services/gateway/agent_views.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/gateway/json_text.h"

namespace keyferry::gateway {
namespace {

using nlohmann::json;

constexpr size_t kUidLength = 32;

// Sorted: what AgentDetails makes, and a few that published clients would take for its word.
constexpr std::array<std::string_view, 31> kDetails = {
    "activeDeploymentId",
    "activeDeploymentReady",
    "activeSessionCount",
    "autoScaling",
    "available",
    "conditions",
    "createdAt",
    "currentRevision",
    "deletedAt",
    "deployment",
    "desiredDeploymentId",
    "errors",
    "etag",
    "generation",
    "id",
    "image",
    "imagePullSecretSet",
    "name",
    "organizationId",
    "previousRevision",
    "ready",
    "readyGeneration",
    "reconciledDeploymentId",
    "region",
    "requiredKeys",
    "secretSet",
    "serviceName",
    "status",
    "updatedAt",
    "validateOnly",
    "warning",
};

std::optional<std::pair<uint64_t, uint64_t>> ParseUid(std::string_view uid) {
  const bool is_hex = uid.size() == kUidLength && std::all_of(uid.begin(), uid.end(), absl::ascii_isxdigit);
  std::pair<uint64_t, uint64_t> halves;
  if (!is_hex || !absl::SimpleHexAtoi({uid.data(), kUidLength / 2}, &halves.first) ||
      !absl::SimpleHexAtoi({uid.data() + kUidLength / 2, kUidLength / 2}, &halves.second)) {
    return std::nullopt;
  }
  return halves;
}

std::string UuidText(uint64_t high, uint64_t low) {
  high = (high & ~uint64_t{0xF000}) | 0x8000;
  low = (low & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high >> 32, (high >> 16) & 0xFFFF, high & 0xFFFF, low >> 48,
                         low & 0xFFFFFFFFFFFF);
}

// The agent's own id: that of generation 0, which there is not.
std::string ServiceId(const v1::Deployment& deployment) { return DeploymentId(deployment.uid(), 0); }

// Clients send agents and read replicas. What else they sent comes back as it was. Never empty: 0.6.0 of the published
// command line cannot show such an agent.
Json AutoScalingOf(const json& kept) {
  Json scaling = {{"minReplicas", 0}};
  const auto sent = kept.find("autoScaling");
  if (sent == kept.end() || !sent->is_object()) return scaling;
  for (const auto& [name, value] : sent->items()) {
    if (name != "minAgents" && name != "maxAgents") scaling[name] = value;
  }
  if (const auto least = sent->find("minAgents"); least != sent->end()) scaling["minReplicas"] = *least;
  if (const auto most = sent->find("maxAgents"); most != sent->end()) scaling["maxReplicas"] = *most;
  return scaling;
}

void Copy(const json& kept, const char* from, Json& to, const char* name) {
  if (const auto member = kept.find(from); member != kept.end()) to[name] = *member;
}

// In the shape of the published manifests; there is no Kubernetes object behind it.
Json ManifestOf(const v1::Deployment& deployment, const json& kept) {
  Json spec = Json::object();
  Copy(kept, "nodeType", spec, "dailyNodeType");
  if (!deployment.image().empty()) spec["image"] = deployment.image();
  spec["autoScaling"] = AutoScalingOf(kept);
  spec["envFromSecretNames"] = Json::array();
  if (!deployment.secret_set().empty()) spec["envFromSecretNames"].push_back(deployment.secret_set());
  if (!deployment.image_pull_secret().empty()) spec["imagePullSecretName"] = deployment.image_pull_secret();
  Copy(kept, "architecture", spec, "arch");
  Copy(kept, "maxSessionDuration", spec, "maxSessionDurationSeconds");
  return {{"apiVersion", "pipecatcloud.daily.co/v1"},
          {"kind", "PCService"},
          {"metadata", {{"name", deployment.agent()}, {"namespace", deployment.organization()}}},
          {"spec", std::move(spec)}};
}

Json NewestDeployment(const v1::Deployment& deployment, const json& kept) {
  Json newest = {{"id", DeploymentId(deployment.uid(), deployment.generation())},
                 {"manifest", ManifestOf(deployment, kept)},
                 {"serviceId", ServiceId(deployment)},
                 {"createdAt", TimeText(deployment.update_time())},
                 {"updatedAt", TimeText(deployment.update_time())}};
  Copy(kept, "buildId", newest, "buildId");
  return newest;
}

v1::Condition ProvisionedOf(const v1::Deployment& deployment) {
  for (const v1::Condition& condition : deployment.conditions()) {
    if (condition.type() == "Provisioned") return condition;
  }
  return v1::Condition();
}

// What the API says, and two more that published clients look for: they follow from `Provisioned`, and change with it.
Json ConditionsOf(const v1::Deployment& deployment) {
  const bool failed = deployment.readiness() == v1::READINESS_FAILED;
  v1::Condition progressing = ProvisionedOf(deployment);
  v1::Condition degraded = progressing;
  progressing.set_type("Progressing");
  progressing.set_status(failed || deployment.readiness() == v1::READINESS_READY ? "False" : "True");
  degraded.set_type("Degraded");
  degraded.set_status(failed ? "True" : "False");
  if (failed) {
    degraded.set_message(deployment.error_message());
  } else {
    degraded.set_reason("NoFailure");
    degraded.set_message(absl::StrCat("region ", deployment.region(), " has reported no failure of this generation"));
  }
  google::protobuf::RepeatedPtrField<v1::Condition> conditions = deployment.conditions();
  *conditions.Add() = std::move(progressing);
  *conditions.Add() = std::move(degraded);
  return ConditionsJson(conditions);
}

// Clients give up on the first one; 1.4.0 shows `error`, older ones `message`.
Json ErrorsOf(const v1::Deployment& deployment) {
  Json errors = Json::array();
  if (deployment.readiness() != v1::READINESS_FAILED) return errors;
  errors.push_back(
      {{"code", "DEPLOYMENT_FAILED"}, {"error", deployment.error_message()}, {"message", deployment.error_message()}});
  return errors;
}

Json BoundSet(const std::string& name, int64_t generation) {
  if (name.empty()) return nullptr;
  return {{"name", name}, {"generation", generation}};
}

// What clients show as an agent's health; without it they call every agent that is not ready "stopped".
Json Revision(const v1::Deployment& deployment, int64_t generation, const char* phase) {
  return {{"phase", phase}, {"deploymentID", DeploymentId(deployment.uid(), generation)}};
}

void AddRevisions(const v1::Deployment& deployment, Json& details) {
  const bool ready = deployment.readiness() == v1::READINESS_READY;
  const bool failed = deployment.readiness() == v1::READINESS_FAILED;
  details["currentRevision"] = Revision(deployment, deployment.generation(),
                                        ready    ? "Ready"
                                        : failed ? "Failed"
                                                 : "Pending");
  const int64_t proved = deployment.ready_generation();
  if (proved > 0 && proved < deployment.generation())
    details["previousRevision"] = Revision(deployment, proved, "Ready");
}

// `activeDeploymentId` is the newest one, ready or not, as published: `activeDeploymentReady` says which. `available`:
// some generation is served, which during an update is an older one; `ready` waits for the newest.
void AddStatus(const v1::Deployment& deployment, Json& details) {
  const bool ready = deployment.readiness() == v1::READINESS_READY;
  const int64_t proved = deployment.ready_generation();
  details["ready"] = ready;
  details["available"] = proved > 0;
  details["status"] = StatusWord(deployment.readiness());
  details["desiredDeploymentId"] = DeploymentId(deployment.uid(), deployment.generation());
  details["activeDeploymentId"] = DeploymentId(deployment.uid(), deployment.generation());
  details["activeDeploymentReady"] = ready;
  details["reconciledDeploymentId"] = proved > 0 ? Json(DeploymentId(deployment.uid(), proved)) : Json(nullptr);
  AddRevisions(deployment, details);
  details["conditions"] = ConditionsOf(deployment);
  details["errors"] = ErrorsOf(deployment);
  details["generation"] = deployment.generation();
  details["readyGeneration"] = proved;
  details["etag"] = deployment.etag();
}

}  // namespace

Json AgentDetails(const v1::Deployment& deployment) {
  const json kept = KeptMembers(deployment).value_or(json::object());
  Json details = {{"name", deployment.agent()},
                  {"id", ServiceId(deployment)},
                  {"organizationId", deployment.organization()},
                  {"region", deployment.region()},
                  {"createdAt", TimeText(deployment.create_time())},
                  {"updatedAt", TimeText(deployment.update_time())},
                  // Those that are deleted are not shown at all.
                  {"deletedAt", nullptr}};
  AddStatus(deployment, details);
  if (!deployment.image().empty()) details["image"] = deployment.image();
  details["autoScaling"] = AutoScalingOf(kept);
  details["deployment"] = NewestDeployment(deployment, kept);
  // Sessions are none of Keyferry's business; clients show the number.
  details["activeSessionCount"] = 0;
  details["secretSet"] = BoundSet(deployment.secret_set(), deployment.secret_set_generation());
  details["imagePullSecretSet"] = BoundSet(deployment.image_pull_secret(), deployment.image_pull_secret_generation());
  details["requiredKeys"] = Json::array();
  for (const std::string& key : deployment.required_keys()) details["requiredKeys"].push_back(key);
  for (const auto& [name, value] : kept.items()) {
    if (!IsDetail(name)) details[name] = value;
  }
  return details;
}

bool IsDetail(std::string_view name) { return std::binary_search(kDetails.begin(), kDetails.end(), name); }

std::optional<json> KeptMembers(const v1::Deployment& deployment) {
  if (deployment.client_data().empty()) return json::object();
  absl::StatusOr<json> kept = ParseJson(deployment.client_data());
  if (!kept.ok() || !kept->is_object()) return std::nullopt;
  return *std::move(kept);
}

std::string DeploymentId(std::string_view uid, int64_t generation) {
  const auto halves = ParseUid(uid);
  if (!halves) return absl::StrCat(absl::string_view(uid.data(), uid.size()), "-", generation);
  // In the first digits, which is as far as some clients show an id.
  return UuidText(halves->first ^ std::rotl(static_cast<uint64_t>(generation), 32), halves->second);
}

}  // namespace keyferry::gateway

#include "services/gateway/agent_bodies.h"

#include <array>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"
#include "services/gateway/agent_views.h"
#include "services/gateway/contract_words.h"
#include "services/gateway/json_object.h"
#include "services/gateway/violation_names.h"

namespace keyferry::gateway {
namespace {

using nlohmann::json;

constexpr int64_t kMaxAgentCount = 10'000;

// Each takes the place of the other.
constexpr std::array<std::pair<const char*, const char*>, 3> kAlternatives = {
    {{"image", "buildId"}, {"agentProfile", "resources"}, {"resources", "agentProfile"}}};

// The last row is for requests whose path does not name the agent.
constexpr std::array kFieldNames = {
    FieldName{"deployment.agent", "serviceName"},
    FieldName{"deployment.secret_set", "secretSet"},
    FieldName{"deployment.image_pull_secret", "imagePullSecretSet"},
    FieldName{"deployment.required_keys", "requiredKeys"},
    FieldName{"deployment.client_data", "body"},
    FieldName{"deployment", ""},
    FieldName{"request_id", "Idempotency-Key"},
    FieldName{"agent", "serviceName"},
};

bool IsKept(std::string_view name) {
  // autoScaling has the name of a detail, and is what that detail is made of.
  return name == "autoScaling" || (name != "forceRedeploy" && !IsDetail(name));
}

// An empty text is nothing, as null is.
bool IsGiven(const json& members, const char* name) {
  const auto member = members.find(name);
  if (member == members.end() || member->is_null()) return false;
  const auto* const text = member->get_ptr<const std::string*>();
  return text == nullptr || !text->empty();
}

bool HasKeptSource(const json& kept) { return IsGiven(kept, "buildId") || IsGiven(kept, "git"); }

void AddNoSource(JsonObject& body) { body.AddViolation("image", "must be given, or a buildId"); }

void CheckRequiredKeys(JsonObject& body) {
  const json* keys = body.Array("requiredKeys");
  if (keys == nullptr) return;
  for (size_t i = 0; i < keys->size(); ++i) {
    if (!(*keys)[i].is_string()) body.AddViolation(absl::StrCat("requiredKeys[", i, "]"), "must be a string");
  }
}

std::optional<int64_t> AgentCount(JsonObject& scaling, const char* name) {
  const std::optional<int64_t> count = scaling.Integer(name);
  if (!count || (*count >= 0 && *count <= kMaxAgentCount)) return count;
  scaling.AddViolation(name, absl::StrCat("must be from 0 to ", kMaxAgentCount));
  return std::nullopt;
}

void CheckAutoScaling(JsonObject& body) {
  const json* scaling = body.Object("autoScaling");
  if (scaling == nullptr) return;
  JsonObject object(*scaling, "autoScaling.");
  const std::optional<int64_t> least = AgentCount(object, "minAgents");
  const std::optional<int64_t> most = AgentCount(object, "maxAgents");
  if (least && most && *most < *least) {
    object.AddViolation("maxAgents", absl::StrCat("must be at least minAgents, which is ", *least));
  }
  body.Absorb(std::move(object));
}

// Of the path, or else of the body.
std::string AgentOf(const Request& request, const json& members, JsonObject& body) {
  const std::string& of_path = request.Parameter("agent");
  const std::optional<std::string> of_body = body.String("serviceName");
  if (of_path.empty()) {
    if (!IsGiven(members, "serviceName")) body.AddViolation("serviceName", "must be given: the agent's name");
    return of_body.value_or("");
  }
  if (of_body && *of_body != of_path) body.AddViolation("serviceName", "must be the agent of the path, or absent");
  return of_path;
}

enum class Source { kOptional, kRequired };

absl::StatusOr<AgentBody> Parse(const Request& request, Source source) {
  AgentBody parsed;
  ASSIGN_OR_RETURN(parsed.members, BodyOf(request));
  JsonObject body(parsed.members, "");
  parsed.agent = AgentOf(request, parsed.members, body);
  const std::string image = body.String("image").value_or("");
  const std::string build = body.String("buildId").value_or("");
  for (const char* name : {"region", "secretSet", "imagePullSecretSet"}) body.String(name);
  parsed.force_redeploy = body.Bool("forceRedeploy").value_or(false);
  parsed.validate_only = body.Bool("validateOnly").value_or(false);
  CheckRequiredKeys(body);
  CheckAutoScaling(body);
  if (!image.empty() && !build.empty())
    body.AddViolation("buildId", "must not stand beside an image; give one of them");
  if (source == Source::kRequired && !IsGiven(parsed.members, "image") && !HasKeptSource(parsed.members))
    AddNoSource(body);
  RETURN_IF_ERROR(body.FinishLenient());
  return parsed;
}

void LayOverText(const json& members, const char* name, std::string& text) {
  const auto member = members.find(name);
  if (member != members.end()) text = member->is_null() ? "" : member->get<std::string>();
}

void LayOverRequiredKeys(const json& members, v1::Deployment& deployment) {
  const auto keys = members.find("requiredKeys");
  if (keys == members.end()) return;
  deployment.clear_required_keys();
  if (keys->is_null()) return;
  for (const json& key : *keys) deployment.add_required_keys(key.get<std::string>());
}

void LayOverKept(const json& members, v1::Deployment& deployment) {
  json change = json::object();
  for (const auto& [name, value] : members.items()) {
    if (IsKept(name)) change[name] = value;
  }
  const std::optional<json> before = KeptMembers(deployment);
  // Something else's data, which nothing here is to be laid over.
  if (!before && change.empty()) return;
  json kept = before.value_or(json::object());
  kept.merge_patch(change);
  for (const auto& [given, replaced] : kAlternatives) {
    if (IsGiven(members, given) && !IsGiven(members, replaced)) kept.erase(replaced);
  }
  deployment.set_client_data(kept.empty() ? "" : kept.dump());
}

}  // namespace

absl::StatusOr<AgentBody> ParseNewAgent(const Request& request) { return Parse(request, Source::kRequired); }

absl::StatusOr<AgentBody> ParseAgentUpdate(const Request& request) { return Parse(request, Source::kOptional); }

void LayOver(const AgentBody& body, v1::Deployment& deployment) {
  const json& members = body.members;
  deployment.set_agent(body.agent);
  LayOverText(members, "image", *deployment.mutable_image());
  LayOverText(members, "secretSet", *deployment.mutable_secret_set());
  LayOverText(members, "imagePullSecretSet", *deployment.mutable_image_pull_secret());
  // An agent is always somewhere: null takes nothing away.
  if (IsGiven(members, "region")) LayOverText(members, "region", *deployment.mutable_region());
  if (IsGiven(members, "buildId")) deployment.clear_image();
  LayOverRequiredKeys(members, deployment);
  LayOverKept(members, deployment);
}

absl::Status CheckLaidOver(const v1::Deployment& deployment) {
  const json kept = KeptMembers(deployment).value_or(json::object());
  JsonObject body(kept, "");
  if (deployment.image().empty() && !HasKeptSource(kept)) AddNoSource(body);
  CheckAutoScaling(body);
  return body.FinishLenient();
}

std::string ContentOf(const AgentBody& body) { return body.members.dump(); }

absl::Status InBodyWords(const Request& request, const absl::Status& status) {
  std::span<const FieldName> names(kFieldNames);
  if (!request.Parameter("agent").empty()) names = names.first(names.size() - 1);
  // A request id has the words of all routes; a set that is missing is, unlike there, named.
  return ReasonOf(status) == "REQUEST_ID_REUSED" ? InContractWords(status, names) : RenameFields(status, names);
}

}  // namespace keyferry::gateway

#include "services/gateway/organization_routes.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/gateway/api_methods.h"
#include "services/gateway/json_object.h"
#include "services/gateway/role_words.h"
#include "services/gateway/violation_names.h"
#include "services/gateway/wire_values.h"

namespace keyferry::gateway {
namespace {

constexpr std::string_view kDefaultRegionProperty = "defaultRegion";
// What the API takes for the default region of an organization that never chose one.
constexpr std::string_view kInitialDefaultRegion = "us-west";
// An API key has 50 characters, other tokens begin at 32.
constexpr size_t kMaxNameRepeated = 24;
constexpr std::array kPropertyNames = {FieldName{"default_region", kDefaultRegionProperty}};

// Names alone are repeated to the caller, and only such as nobody takes for a value.
std::string_view NameToRepeat(std::string_view name) {
  const bool plain =
      !name.empty() && name.size() <= kMaxNameRepeated &&
      std::all_of(name.begin(), name.end(), [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; });
  return plain ? name : "a property";
}

// INVALID_PROPERTY for each member that is no property.
absl::Status CheckPropertyNames(const nlohmann::json& body) {
  std::vector<FieldViolation> violations;
  for (const auto& [name, value] : body.items()) {
    if (name != kDefaultRegionProperty)
      violations.push_back({std::string(NameToRepeat(name)),
                            absl::StrCat("is no property; the properties are: ", std::string(kDefaultRegionProperty))});
  }
  return violations.empty() ? absl::OkStatus() : InvalidFields("INVALID_PROPERTY", std::move(violations));
}

absl::StatusOr<v1::UpdatePropertiesRequest> UpdateOf(const Request& request) {
  if (absl::Status query = CheckQuery(request, {}); !query.ok()) return query;
  const absl::StatusOr<nlohmann::json> body = BodyOf(request);
  if (!body.ok()) return body.status();
  if (absl::Status names = CheckPropertyNames(*body); !names.ok()) return names;
  JsonObject object(*body, "");
  const std::optional<std::string> region = object.String(kDefaultRegionProperty);
  if (absl::Status values = object.Finish(); !values.ok()) return values;
  v1::UpdatePropertiesRequest update;
  update.set_organization(request.Parameter("org"));
  if (region) update.set_default_region(*region);
  return update;
}

// Each property with what one needs to know to change it.
Answer SchemaAnswer(const v1::Properties& properties) {
  const auto& regions = properties.available_regions();
  const Json property = {{"type", "string"},
                         {"description", "Region of secret sets and agents that name none."},
                         {"default", kInitialDefaultRegion},
                         {"currentValue", properties.default_region()},
                         {"readOnly", false},
                         {"availableValues", std::vector<std::string>(regions.begin(), regions.end())}};
  return JsonAnswer(200, {{"properties", {{kDefaultRegionProperty, property}}}});
}

asio::awaitable<absl::StatusOr<v1::Properties>> FetchProperties(const Request& request, ApiCalls& api) {
  if (const absl::Status query = CheckQuery(request, {}); !query.ok()) co_return query;
  v1::GetPropertiesRequest call;
  call.set_organization(request.Parameter("org"));
  co_return co_await api.Call(request, kGetProperties, std::move(call));
}

asio::awaitable<absl::StatusOr<v1::WhoAmIResponse>> FetchCaller(const Request& request, ApiCalls& api) {
  v1::WhoAmIRequest call;
  co_return co_await api.Call(request, kWhoAmI, std::move(call));
}

}  // namespace

AnswerTask ListRegions(const Request& request, ApiCalls& api) {
  v1::ListRegionsRequest call;
  const absl::StatusOr<v1::ListRegionsResponse> listed = co_await api.Call(request, kListRegions, std::move(call));
  if (!listed.ok()) co_return listed.status();
  Json regions = Json::array();
  for (const v1::Region& region : listed->regions()) {
    const std::string& name = region.display_name();
    regions.push_back({{"code", region.code()}, {"display_name", name.empty() ? region.code() : name}});
  }
  co_return JsonAnswer(200, {{"regions", std::move(regions)}});
}

AnswerTask GetProperties(const Request& request, ApiCalls& api) {
  const absl::StatusOr<v1::Properties> properties = co_await FetchProperties(request, api);
  if (!properties.ok()) co_return properties.status();
  co_return JsonAnswer(200, {{"properties", {{kDefaultRegionProperty, properties->default_region()}}}});
}

AnswerTask PatchProperties(const Request& request, ApiCalls& api) {
  absl::StatusOr<v1::UpdatePropertiesRequest> update = UpdateOf(request);
  if (!update.ok()) co_return update.status();
  const absl::StatusOr<v1::Properties> updated = co_await api.Call(request, kUpdateProperties, *std::move(update));
  if (!updated.ok()) co_return RenameFields(updated.status(), kPropertyNames);
  co_return SchemaAnswer(*updated);
}

AnswerTask GetPropertiesSchema(const Request& request, ApiCalls& api) {
  const absl::StatusOr<v1::Properties> properties = co_await FetchProperties(request, api);
  if (!properties.ok()) co_return properties.status();
  co_return SchemaAnswer(*properties);
}

AnswerTask GetUser(const Request& request, ApiCalls& api) {
  const absl::StatusOr<v1::WhoAmIResponse> caller = co_await FetchCaller(request, api);
  if (!caller.ok()) co_return caller.status();
  // Known clients read `user`: the first of its mail addresses, else its id.
  Json body = {{"user", {{"userId", caller->principal()}, {"emails", Json::array()}}},
               {"principal", caller->principal()}};
  if (!caller->organization().empty()) body["organization"] = caller->organization();
  if (const std::string_view role = RoleWord(caller->role()); !role.empty()) body["role"] = role;
  co_return JsonAnswer(200, body);
}

AnswerTask ListOrganizations(const Request& request, ApiCalls& api) {
  const absl::StatusOr<v1::WhoAmIResponse> caller = co_await FetchCaller(request, api);
  if (!caller.ok()) co_return caller.status();
  Json organizations = Json::array();
  if (const std::string& name = caller->organization(); !name.empty()) {
    const std::string& display_name = caller->organization_display_name();
    organizations.push_back({{"name", name}, {"verboseName", display_name.empty() ? name : display_name}});
  }
  co_return JsonAnswer(200, {{"organizations", std::move(organizations)}});
}

}  // namespace keyferry::gateway

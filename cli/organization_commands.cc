#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr size_t kKeyIdLength = 10;

absl::Status ListOrganizations(Session& session) {
  v1::ListOrganizationsRequest request;
  request.set_page_size(kDefaultPageSize);
  Table table{.header = {"NAME", "DISPLAY NAME", "CREATED"}};
  nlohmann::ordered_json organizations = nlohmann::ordered_json::array();
  do {
    ASSIGN_OR_RETURN(const auto page,
                     session.Call<v1::ListOrganizationsResponse>("Organizations/ListOrganizations", request));
    for (const v1::Organization& organization : page.organizations()) {
      table.rows.push_back({organization.name(), organization.display_name(), TimeText(organization.create_time())});
      organizations.push_back(ToDocument(organization));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  nlohmann::ordered_json document;
  document["organizations"] = std::move(organizations);
  session.Print(document, RenderTable(table, false));
  return absl::OkStatus();
}

absl::Status CreateOrganization(Session& session) {
  v1::CreateOrganizationRequest request;
  request.set_name(session.line().name);
  request.set_display_name(session.line().display_name);
  ASSIGN_OR_RETURN(const auto organization,
                   session.Call<v1::Organization>("Organizations/CreateOrganization", request));
  session.Print(ToDocument(organization), absl::StrCat("created: organization ", organization.name(), "\n"));
  return absl::OkStatus();
}

// --skip-confirm does not answer this one.
absl::StatusOr<std::string> ConfirmedName(Session& session) {
  const std::string& given = session.line().organization.confirm;
  if (!given.empty()) return given;
  if (!session.console().CanPrompt())
    return UsageError("deleting an organization needs its name twice: give it again with --confirm NAME");
  session.Note(absl::StrCat("This deletes organization ", session.line().name,
                            ", its secret sets, deployments and API keys for good. Running agents lose their values."));
  ASSIGN_OR_RETURN(const SecretBytes typed, Prompt(session.console(), "Type its name to go on: ", Echo::kShown));
  return std::string(typed.Access());
}

absl::Status DeleteOrganization(Session& session) {
  const std::string& name = session.line().name;
  v1::DeleteOrganizationRequest request;
  request.set_organization(name);
  ASSIGN_OR_RETURN(*request.mutable_confirmation(), ConfirmedName(session));
  RETURN_IF_ERROR(session.Call<v1::DeleteOrganizationResponse>("Organizations/DeleteOrganization", request).status());
  nlohmann::ordered_json document;
  document["name"] = name;
  document["deleted"] = true;
  session.Print(document, absl::StrCat("deleted: organization ", name, "; its data is being shredded\n"));
  return absl::OkStatus();
}

absl::Status PrintProperties(Session& session, const absl::StatusOr<v1::Properties>& properties) {
  RETURN_IF_ERROR(properties.status());
  session.Print(ToDocument(*properties),
                RenderFields({{"default region", properties->default_region()},
                              {"available regions", absl::StrJoin(properties->available_regions(), " ")}},
                             false));
  return absl::OkStatus();
}

absl::Status GetProperties(Session& session) {
  v1::GetPropertiesRequest request;
  request.set_organization(session.settings().organization);
  return PrintProperties(session, session.Call<v1::Properties>("Organizations/GetProperties", request));
}

absl::Status SetProperties(Session& session) {
  v1::UpdatePropertiesRequest request;
  request.set_organization(session.settings().organization);
  request.set_default_region(session.line().default_region);
  return PrintProperties(session, session.Call<v1::Properties>("Organizations/UpdateProperties", request));
}

absl::Status ListKeys(Session& session) {
  v1::ListApiKeysRequest request;
  request.set_organization(session.settings().organization);
  ASSIGN_OR_RETURN(const auto response, session.Call<v1::ListApiKeysResponse>("Organizations/ListApiKeys", request));
  Table table{.header = {"ID", "NAME", "ROLE", "AUTHOR", "CREATED", "EXPIRES", "LAST USED", "REVOKED", "REPLACED BY"}};
  nlohmann::ordered_json keys = nlohmann::ordered_json::array();
  for (const v1::ApiKey& key : response.api_keys()) {
    table.rows.push_back({key.id(), key.display_name(), RoleWord(key.role()), key.author(), TimeText(key.create_time()),
                          TimeText(key.expire_time()), TimeText(key.last_use_time()), TimeText(key.revoke_time()),
                          key.replaced_by()});
    keys.push_back(ToDocument(key));
  }
  nlohmann::ordered_json document;
  document["keys"] = std::move(keys);
  session.Print(document, RenderTable(table, false));
  return absl::OkStatus();
}

// `90d` too, which absl does not know.
absl::Status ReadDuration(std::string_view option, const std::string& text, google::protobuf::Duration& wire) {
  absl::Duration duration;
  int64_t days = 0;
  // SimpleAtoi passes over spaces.
  const bool is_days = absl::EndsWith(text, "d") && text.find(' ') == std::string::npos;
  if (is_days && absl::SimpleAtoi(absl::string_view(text).substr(0, text.size() - 1), &days)) {
    duration = absl::Hours(24) * days;
  } else if (!absl::ParseDuration(text, &duration)) {
    return UsageError(absl::StrCat(std::string(option), " takes a time with its unit: 90d, 12h, 30m"));
  }
  wire.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  wire.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return absl::OkStatus();
}

void PrintNewKey(Session& session, const v1::CreateApiKeyResponse& response) {
  nlohmann::ordered_json document = ToDocument(response.api_key());
  document["key"] = response.key();
  session.Print(document, response.key() + "\n");
  session.Note(absl::StrCat("this key, id ", response.api_key().id(), ", is not shown again"));
}

// Standard output gets the key alone, so that a script can keep it.
absl::Status CreateKey(Session& session) {
  v1::CreateApiKeyRequest request;
  request.set_organization(session.settings().organization);
  request.set_display_name(session.line().name);
  request.set_role(RoleOfWord(session.line().role));
  if (const std::string& expires = session.line().organization.expires; !expires.empty())
    RETURN_IF_ERROR(ReadDuration("--expires", expires, *request.mutable_time_to_live()));
  ASSIGN_OR_RETURN(const auto response, session.Call<v1::CreateApiKeyResponse>("Organizations/CreateApiKey", request));
  PrintNewKey(session, response);
  return absl::OkStatus();
}

// The text is not shown: it may be a whole key.
absl::Status CheckKeyId(const std::string& id) {
  if (id.size() == kKeyIdLength && std::all_of(id.begin(), id.end(), absl::ascii_isalnum)) return absl::OkStatus();
  return UsageError(
      "the id of an API key is the 10 characters after kf_; `keyferry keys list` shows it. Never give the whole key");
}

absl::Status RotateKey(Session& session) {
  const std::string& id = session.line().name;
  const OrganizationFlags& flags = session.line().organization;
  RETURN_IF_ERROR(CheckKeyId(id));
  v1::RotateApiKeyRequest request;
  request.set_organization(session.settings().organization);
  request.set_id(id);
  if (!flags.overlap.empty()) RETURN_IF_ERROR(ReadDuration("--overlap", flags.overlap, *request.mutable_overlap()));
  if (!flags.expires.empty()) RETURN_IF_ERROR(ReadDuration("--expires", flags.expires, *request.mutable_time_to_live()));
  ASSIGN_OR_RETURN(const auto response, session.Call<v1::CreateApiKeyResponse>("Organizations/RotateApiKey", request));
  PrintNewKey(session, response);
  return absl::OkStatus();
}

absl::Status PrintQuota(Session& session, const absl::StatusOr<v1::Quota>& quota) {
  RETURN_IF_ERROR(quota.status());
  nlohmann::ordered_json document = {{"organization", quota->organization()},
                                     {"maxSecretSets", quota->max_secret_sets()},
                                     {"maxDeployments", quota->max_deployments()},
                                     {"maxApiKeys", quota->max_api_keys()},
                                     {"maxCallsPerSecond", quota->max_calls_per_second()},
                                     {"secretSetCount", quota->secret_set_count()},
                                     {"deploymentCount", quota->deployment_count()},
                                     {"apiKeyCount", quota->api_key_count()}};
  const auto row = [](const char* what, int64_t used, int64_t limit) {
    return std::vector<std::string>{what, absl::StrCat(used), absl::StrCat(limit)};
  };
  const int64_t rate = quota->max_calls_per_second();
  Table table{.header = {"WHAT", "USED", "MOST"}};
  table.rows = {row("secret sets", quota->secret_set_count(), quota->max_secret_sets()),
                row("deployments", quota->deployment_count(), quota->max_deployments()),
                row("API keys", quota->api_key_count(), quota->max_api_keys()),
                {"calls a second", "", rate == 0 ? "as the API is set" : absl::StrCat(rate)}};
  session.Print(document, RenderTable(table, false));
  return absl::OkStatus();
}

absl::Status GetQuota(Session& session) {
  v1::GetQuotaRequest request;
  request.set_organization(session.settings().organization);
  return PrintQuota(session, session.Call<v1::Quota>("Organizations/GetQuota", request));
}

absl::Status SetQuota(Session& session) {
  const OrganizationFlags& flags = session.line().organization;
  v1::UpdateQuotaRequest request;
  request.set_organization(session.settings().organization);
  if (flags.max_secret_sets) request.set_max_secret_sets(*flags.max_secret_sets);
  if (flags.max_deployments) request.set_max_deployments(*flags.max_deployments);
  if (flags.max_api_keys) request.set_max_api_keys(*flags.max_api_keys);
  if (flags.max_calls_per_second) request.set_max_calls_per_second(*flags.max_calls_per_second);
  return PrintQuota(session, session.Call<v1::Quota>("Organizations/UpdateQuota", request));
}

absl::Status RevokeKey(Session& session) {
  const std::string& id = session.line().name;
  RETURN_IF_ERROR(CheckKeyId(id));
  RETURN_IF_ERROR(session.Confirm(absl::StrCat("Revoke the API key ", id, "? Whoever uses it is refused at once.")));
  v1::RevokeApiKeyRequest request;
  request.set_organization(session.settings().organization);
  request.set_id(id);
  RETURN_IF_ERROR(session.Call<v1::RevokeApiKeyResponse>("Organizations/RevokeApiKey", request).status());
  nlohmann::ordered_json document;
  document["id"] = id;
  document["revoked"] = true;
  session.Print(document, absl::StrCat("revoked: API key ", id, "\n"));
  return absl::OkStatus();
}

absl::Status WhoAmI(Session& session) {
  ASSIGN_OR_RETURN(const auto caller, session.Call<v1::WhoAmIResponse>("Organizations/WhoAmI", v1::WhoAmIRequest()));
  session.Print(ToDocument(caller), RenderFields({{"principal", caller.principal()},
                                                  {"organization", caller.organization()},
                                                  {"role", RoleWord(caller.role())}},
                                                 false));
  return absl::OkStatus();
}

}  // namespace

void AddOrganizationCommands(CommandTable& table) {
  table["orgs list"] = ListOrganizations;
  table["orgs create"] = CreateOrganization;
  table["orgs delete"] = DeleteOrganization;
  table["orgs properties get"] = GetProperties;
  table["orgs properties set"] = SetProperties;
  table["keys list"] = ListKeys;
  table["keys create"] = CreateKey;
  table["keys rotate"] = RotateKey;
  table["keys revoke"] = RevokeKey;
  table["orgs quota get"] = GetQuota;
  table["orgs quota set"] = SetQuota;
  table["whoami"] = WhoAmI;
}

}  // namespace keyferry

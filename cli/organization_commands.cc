#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
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
  Table table{.header = {"ID", "NAME", "ROLE", "AUTHOR", "CREATED", "REVOKED"}};
  nlohmann::ordered_json keys = nlohmann::ordered_json::array();
  for (const v1::ApiKey& key : response.api_keys()) {
    table.rows.push_back({key.id(), key.display_name(), RoleWord(key.role()), key.author(), TimeText(key.create_time()),
                          TimeText(key.revoke_time())});
    keys.push_back(ToDocument(key));
  }
  nlohmann::ordered_json document;
  document["keys"] = std::move(keys);
  session.Print(document, RenderTable(table, false));
  return absl::OkStatus();
}

// Standard output gets the key alone, so that a script can keep it.
absl::Status CreateKey(Session& session) {
  v1::CreateApiKeyRequest request;
  request.set_organization(session.settings().organization);
  request.set_display_name(session.line().name);
  request.set_role(RoleOfWord(session.line().role));
  ASSIGN_OR_RETURN(const auto response, session.Call<v1::CreateApiKeyResponse>("Organizations/CreateApiKey", request));
  nlohmann::ordered_json document = ToDocument(response.api_key());
  document["key"] = response.key();
  session.Print(document, response.key() + "\n");
  session.Note(absl::StrCat("this key, id ", response.api_key().id(), ", is not shown again"));
  return absl::OkStatus();
}

// The text is not shown: it may be a whole key.
absl::Status CheckKeyId(const std::string& id) {
  if (id.size() == kKeyIdLength && std::all_of(id.begin(), id.end(), absl::ascii_isalnum)) return absl::OkStatus();
  return UsageError(
      "the id of an API key is the 10 characters after kf_; `keyferry keys list` shows it. Never give the whole key");
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
  table["orgs properties get"] = GetProperties;
  table["orgs properties set"] = SetProperties;
  table["keys list"] = ListKeys;
  table["keys create"] = CreateKey;
  table["keys revoke"] = RevokeKey;
  table["whoami"] = WhoAmI;
}

}  // namespace keyferry

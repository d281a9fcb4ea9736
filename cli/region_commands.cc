#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr size_t kSealingKeyBytes = 32;

std::vector<std::string> Row(const v1::Region& region) {
  std::vector<std::string> row = {region.code(), region.display_name()};
  if (!region.has_create_time()) return row;
  row.push_back(
      absl::StrCat(std::count_if(region.provisioners().begin(), region.provisioners().end(),
                                 [](const v1::Provisioner& provisioner) { return provisioner.connected(); })));
  row.push_back(absl::StrCat(region.pending_count()));
  row.push_back(absl::StrCat(region.oldest_pending_seconds(), "s"));
  return row;
}

absl::Status ListRegions(Session& session) {
  ASSIGN_OR_RETURN(const auto response,
                   session.Call<v1::ListRegionsResponse>("Regions/ListRegions", v1::ListRegionsRequest()));
  // Tenants see the first two columns alone.
  Table table{.header = {"CODE", "NAME"}};
  nlohmann::ordered_json regions = nlohmann::ordered_json::array();
  for (const v1::Region& region : response.regions()) {
    table.rows.push_back(Row(region));
    if (table.rows.back().size() > table.header.size())
      table.header = {"CODE", "NAME", "PROVISIONERS", "PENDING", "OLDEST PENDING"};
    regions.push_back(ToDocument(region));
  }
  nlohmann::ordered_json document;
  document["regions"] = std::move(regions);
  session.Print(document, RenderTable(table, false));
  return absl::OkStatus();
}

std::string SealingKeyText(const v1::Region& region) {
  if (region.sealing_key().empty()) return "none yet: the first provisioner that enrolls brings it";
  std::string text = absl::BytesToHexString(region.sealing_key_id());
  if (const int count = region.previous_sealing_keys_size(); count > 0)
    absl::StrAppend(&text, " (values are still sealed to ", count, count == 1 ? " key before it)" : " keys before it)");
  return text;
}

std::string RoleOf(const v1::Provisioner& provisioner) {
  if (provisioner.has_revoke_time()) return "revoked";
  if (!provisioner.connected()) return "away";
  return provisioner.active() ? "active" : "standby";
}

std::string RegionText(const v1::Region& region) {
  std::string text = RenderFields({{"code", region.code()},
                                   {"name", region.display_name()},
                                   {"sealing key id", SealingKeyText(region)},
                                   {"blind", region.blind() ? "yes" : "no"},
                                   {"pending", absl::StrCat(region.pending_count())},
                                   {"oldest pending", absl::StrCat(region.oldest_pending_seconds(), "s")},
                                   {"created", TimeText(region.create_time())}},
                                  false);
  if (region.provisioners().empty()) return text + "no provisioner is connected, and none has enrolled\n";
  Table table{.header = {"PROVISIONER", "ROLE", "VERSION", "CONNECTED", "ENROLLED", "CERTIFICATE EXPIRES"}};
  for (const v1::Provisioner& provisioner : region.provisioners()) {
    table.rows.push_back({provisioner.id(), RoleOf(provisioner), provisioner.version(),
                          TimeText(provisioner.connect_time()), TimeText(provisioner.enroll_time()),
                          TimeText(provisioner.certificate_expire_time())});
  }
  return text + RenderTable(table, false);
}

absl::Status ShowRegion(Session& session) {
  v1::GetRegionRequest request;
  request.set_code(session.line().name);
  ASSIGN_OR_RETURN(const auto region, session.Call<v1::Region>("Regions/GetRegion", request));
  session.Print(ToDocument(region), RegionText(region));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ParseSealingKey(const std::string& text) {
  std::string sealing_key;
  if (text.empty()) return sealing_key;
  if (!absl::Base64Unescape(text, &sealing_key) || sealing_key.size() != kSealingKeyBytes) {
    return UsageError(
        absl::StrCat("--sealing-key is the base64 of ", kSealingKeyBytes, " bytes, as the provisioner prints it"));
  }
  return sealing_key;
}

absl::Status CreateRegion(Session& session) {
  const CommandLine& line = session.line();
  v1::CreateRegionRequest request;
  ASSIGN_OR_RETURN(*request.mutable_sealing_key(), ParseSealingKey(line.sealing_key));
  request.set_code(line.name);
  request.set_display_name(line.display_name);
  request.set_blind(line.blind);
  ASSIGN_OR_RETURN(const auto region, session.Call<v1::Region>("Regions/CreateRegion", request));
  session.Print(ToDocument(region), absl::StrCat("created: region ", region.code(), "\n"));
  session.Note(absl::StrCat("next: `keyferry regions token ", region.code(),
                            "`, and enroll its first provisioner with that within 10 minutes",
                            region.sealing_key().empty() ? "; nothing can be written for the region before" : ""));
  return absl::OkStatus();
}

// Standard output gets the token alone, so that a script can keep it.
absl::Status CreateToken(Session& session) {
  v1::CreateEnrollmentTokenRequest request;
  request.set_code(session.line().name);
  request.set_replace_sealing_key(session.line().replace_sealing_key);
  if (request.replace_sealing_key()) {
    RETURN_IF_ERROR(session.Confirm(absl::StrCat("Let the next provisioner of region ", request.code(),
                                                 " that enrolls replace the region's sealing key by its own?")));
  }
  ASSIGN_OR_RETURN(const auto response,
                   session.Call<v1::CreateEnrollmentTokenResponse>("Regions/CreateEnrollmentToken", request));
  nlohmann::ordered_json document;
  document["code"] = request.code();
  document["token"] = response.token();
  document["expiresAt"] = TimeText(response.expire_time());
  session.Print(document, response.token() + "\n");
  session.Note(absl::StrCat("enrolls one provisioner of ", request.code(), ", once, until ",
                            TimeText(response.expire_time()), "; not shown again"));
  return absl::OkStatus();
}

absl::Status RevokeProvisioners(Session& session) {
  const CommandLine& line = session.line();
  const std::string whom = line.provisioner.empty()
                               ? absl::StrCat("every provisioner of region ", line.name)
                               : absl::StrCat("provisioner ", line.provisioner, " of region ", line.name);
  RETURN_IF_ERROR(session.Confirm(
      absl::StrCat("Revoke ", whom, "? It is cut off within 5 s, for good; another one needs a new id and a token.")));
  v1::RevokeProvisionersRequest request;
  request.set_code(line.name);
  request.set_provisioner_id(line.provisioner);
  ASSIGN_OR_RETURN(const auto response,
                   session.Call<v1::RevokeProvisionersResponse>("Regions/RevokeProvisioners", request));
  nlohmann::ordered_json document;
  document["code"] = line.name;
  document["revoked"] = nlohmann::ordered_json::array();
  for (const std::string& id : response.provisioner_ids()) document["revoked"].push_back(id);
  const std::string text = response.provisioner_ids().empty()
                               ? "revoked already"
                               : absl::StrCat("revoked: ", absl::StrJoin(response.provisioner_ids(), " "));
  session.Print(document, text + "\n");
  return absl::OkStatus();
}

absl::Status ResyncRegion(Session& session) {
  const CommandLine& line = session.line();
  RETURN_IF_ERROR(session.Confirm(absl::StrCat("Send everything to region ", line.name, " again?")));
  v1::ResyncRequest request;
  request.set_code(line.name);
  request.set_allow_mass_delete(line.allow_mass_delete);
  request.set_retry_failed(line.retry_failed);
  ASSIGN_OR_RETURN(const auto response, session.Call<v1::ResyncResponse>("Regions/Resync", request));
  nlohmann::ordered_json document;
  document["code"] = line.name;
  document["retriedCount"] = response.retried_count();
  session.Print(document, absl::StrCat("resync of region ", line.name, " begun, ", response.retried_count(),
                                       " failed placements retried\n"));
  return absl::OkStatus();
}

}  // namespace

void AddRegionCommands(CommandTable& table) {
  table["regions list"] = ListRegions;
  table["regions show"] = ShowRegion;
  table["regions create"] = CreateRegion;
  table["regions token"] = CreateToken;
  table["regions revoke"] = RevokeProvisioners;
  table["regions resync"] = ResyncRegion;
}

}  // namespace keyferry

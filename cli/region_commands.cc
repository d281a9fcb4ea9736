#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
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
  if (region.sealing_key_id().empty()) return row;
  row.push_back(absl::StrCat(region.provisioners_size()));
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

std::string RegionText(const v1::Region& region) {
  std::string text = RenderFields({{"code", region.code()},
                                   {"name", region.display_name()},
                                   {"sealing key id", absl::BytesToHexString(region.sealing_key_id())},
                                   {"blind", region.blind() ? "yes" : "no"},
                                   {"pending", absl::StrCat(region.pending_count())},
                                   {"oldest pending", absl::StrCat(region.oldest_pending_seconds(), "s")},
                                   {"created", TimeText(region.create_time())}},
                                  false);
  if (region.provisioners().empty()) return text + "no provisioner is connected\n";
  Table table{.header = {"PROVISIONER", "ROLE", "VERSION", "CONNECTED", "CERTIFICATE EXPIRES"}};
  for (const v1::Provisioner& provisioner : region.provisioners()) {
    table.rows.push_back({provisioner.id(), provisioner.active() ? "active" : "standby", provisioner.version(),
                          TimeText(provisioner.connect_time()), TimeText(provisioner.certificate_expire_time())});
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

absl::Status CreateRegion(Session& session) {
  const CommandLine& line = session.line();
  std::string sealing_key;
  if (!absl::Base64Unescape(line.sealing_key, &sealing_key) || sealing_key.size() != kSealingKeyBytes) {
    return UsageError(
        absl::StrCat("--sealing-key is the base64 of ", kSealingKeyBytes, " bytes, as the provisioner prints it"));
  }
  v1::CreateRegionRequest request;
  request.set_code(line.name);
  request.set_display_name(line.display_name);
  request.set_sealing_key(sealing_key);
  request.set_blind(line.blind);
  ASSIGN_OR_RETURN(const auto region, session.Call<v1::Region>("Regions/CreateRegion", request));
  session.Print(ToDocument(region), absl::StrCat("created: region ", region.code(), "\n"));
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
  table["regions resync"] = ResyncRegion;
}

}  // namespace keyferry

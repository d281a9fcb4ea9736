#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/views.h"
#include "keyferry/v1/status.pb.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

std::string BytesText(int64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); }

nlohmann::ordered_json ToDocument(const v1::RegionStatus& region) {
  nlohmann::ordered_json document;
  document["code"] = region.code();
  document["served"] = region.served();
  document["connectedCount"] = region.connected_count();
  document["pendingCount"] = region.pending_count();
  document["oldestPendingSeconds"] = region.oldest_pending_seconds();
  if (region.has_certificate_expire_time()) document["certificateExpireTime"] = TimeText(region.certificate_expire_time());
  return document;
}

nlohmann::ordered_json ToDocument(const v1::SystemStatus& status) {
  nlohmann::ordered_json document;
  document["version"] = status.version();
  document["startTime"] = TimeText(status.start_time());
  document["headRevision"] = status.head_revision();
  document["organizationCount"] = status.organization_count();
  document["regions"] = nlohmann::ordered_json::array();
  for (const v1::RegionStatus& region : status.regions()) document["regions"].push_back(ToDocument(region));
  document["rootKey"] = {{"provider", status.keys().root_provider()},
                         {"id", status.keys().root_key_id()},
                         {"problem", status.keys().root_problem()},
                         {"keysUnderOldRoot", status.keys().keys_under_old_root()}};
  document["rotationCount"] = status.keys().rotations_size();
  if (status.has_last_backup()) {
    document["lastBackup"] = {{"name", status.last_backup().name()}, {"createTime", TimeText(status.last_backup().create_time())}};
  }
  document["disk"] = {{"freeBytes", status.disk_free_bytes()}, {"totalBytes", status.disk_total_bytes()}};
  document["warnings"] = nlohmann::ordered_json::array();
  for (const std::string& warning : status.warnings()) document["warnings"].push_back(warning);
  return document;
}

std::string ToText(const v1::SystemStatus& status) {
  std::string text;
  for (const std::string& warning : status.warnings()) absl::StrAppend(&text, "! ", Printable(warning), "\n");
  absl::StrAppend(&text, status.warnings().empty() ? "all is well\n\n" : "\n");
  const v1::KeyStatus& keys = status.keys();
  text += RenderFields({{"version", status.version()},
                        {"running since", TimeText(status.start_time())},
                        {"organizations", absl::StrCat(status.organization_count())},
                        {"root key", absl::StrCat(keys.root_provider(), " ", keys.root_key_id())},
                        {"rotations", absl::StrCat(keys.rotations_size(), " running, ", keys.keys_under_old_root(), " keys under an older root key")},
                        {"last backup", status.has_last_backup() ? TimeText(status.last_backup().create_time()) : "none"},
                        {"disk", absl::StrCat(BytesText(status.disk_free_bytes()), " of ", BytesText(status.disk_total_bytes()), " free")}},
                       false);
  Table table{.header = {"REGION", "SERVED", "PROVISIONERS", "PENDING", "OLDEST", "CERTIFICATE EXPIRES"}};
  for (const v1::RegionStatus& region : status.regions()) {
    table.rows.push_back({region.code(), region.served() ? "yes" : "no", absl::StrCat(region.connected_count()), absl::StrCat(region.pending_count()),
                          absl::StrCat(region.oldest_pending_seconds(), "s"), TimeText(region.certificate_expire_time())});
  }
  return text + "\n" + RenderTable(table, false);
}

absl::Status ShowStatus(Session& session) {
  ASSIGN_OR_RETURN(const auto status, session.Call<v1::SystemStatus>("Status/GetStatus", v1::GetStatusRequest()));
  session.Print(ToDocument(status), ToText(status));
  return absl::OkStatus();
}

}  // namespace

void AddAdminStatusCommands(CommandTable& table) { table["admin status"] = ShowStatus; }

}  // namespace keyferry

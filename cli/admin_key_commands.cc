// admin keys
#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "keyferry/v1/keys.pb.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

constexpr char kSystem[] = "system";
constexpr absl::Duration kFirstPoll = absl::Milliseconds(50);
constexpr absl::Duration kSlowestPoll = absl::Seconds(2);

nlohmann::ordered_json ToDocument(const v1::KeyRotation& rotation) {
  nlohmann::ordered_json document;
  if (!rotation.organization().empty()) document["organization"] = rotation.organization();
  if (!rotation.region().empty()) document["region"] = rotation.region();
  document["visitedCount"] = rotation.visited_count();
  document["movedCount"] = rotation.moved_count();
  document["blockedCount"] = rotation.blocked_count();
  document["beginTime"] = TimeText(rotation.begin_time());
  return document;
}

nlohmann::ordered_json ToDocument(const v1::RegionKeyStatus& region) {
  nlohmann::ordered_json document;
  document["region"] = region.region();
  document["sealingKeyId"] = absl::BytesToHexString(region.sealing_key_id());
  document["sealingKeyTime"] = TimeText(region.sealing_key_time());
  document["previousSealingKeyIds"] = nlohmann::ordered_json::array();
  for (const std::string& id : region.previous_sealing_key_ids())
    document["previousSealingKeyIds"].push_back(absl::BytesToHexString(id));
  return document;
}

nlohmann::ordered_json ToDocument(const v1::KeyStatus& status) {
  nlohmann::ordered_json document;
  document["rootKey"] = {
      {"provider", status.root_provider()}, {"id", status.root_key_id()}, {"problem", status.root_problem()}};
  document["keyCount"] = status.key_count();
  document["keysUnderOldRoot"] = status.keys_under_old_root();
  document["oldestKeyTime"] = TimeText(status.oldest_key_time());
  document["rotations"] = nlohmann::ordered_json::array();
  for (const v1::KeyRotation& rotation : status.rotations()) document["rotations"].push_back(ToDocument(rotation));
  document["regions"] = nlohmann::ordered_json::array();
  for (const v1::RegionKeyStatus& region : status.regions()) document["regions"].push_back(ToDocument(region));
  return document;
}

std::string RegionsText(const v1::KeyStatus& status) {
  Table table{.header = {"REGION", "SEALING KEY", "SINCE", "OLDER KEYS IN USE"}};
  for (const v1::RegionKeyStatus& region : status.regions()) {
    table.rows.push_back({region.region(), absl::BytesToHexString(region.sealing_key_id()),
                          TimeText(region.sealing_key_time()), absl::StrCat(region.previous_sealing_key_ids_size())});
  }
  return RenderTable(table, false);
}

std::string RotationsText(const v1::KeyStatus& status) {
  if (status.rotations().empty()) return "no rotation runs\n";
  Table table{.header = {"ROTATION OF", "SINCE", "SEEN", "MOVED", "BLOCKED"}};
  for (const v1::KeyRotation& rotation : status.rotations()) {
    const std::string whose = !rotation.region().empty() ? absl::StrCat("region ", rotation.region())
                              : rotation.organization() == kSystem
                                  ? std::string(kSystem)
                                  : absl::StrCat("organization ", rotation.organization());
    table.rows.push_back({whose, TimeText(rotation.begin_time()), absl::StrCat(rotation.visited_count()),
                          absl::StrCat(rotation.moved_count()), absl::StrCat(rotation.blocked_count())});
  }
  return RenderTable(table, false);
}

std::string ToText(const v1::KeyStatus& status) {
  return RenderFields(
             {{"root key", absl::StrCat(status.root_provider(), " ", status.root_key_id())},
              {"root key's state", status.root_problem().empty() ? "answers" : Printable(status.root_problem())},
              {"keys", absl::StrCat(status.key_count())},
              {"under an older root key", absl::StrCat(status.keys_under_old_root())},
              {"oldest key", TimeText(status.oldest_key_time())}},
             false) +
         "\n" + RotationsText(status) + "\n" + RegionsText(status);
}

absl::StatusOr<v1::KeyStatus> FetchStatus(Session& session) {
  return session.Call<v1::KeyStatus>("Keys/GetKeyStatus", v1::GetKeyStatusRequest());
}

absl::Status ShowKeys(Session& session) {
  ASSIGN_OR_RETURN(const v1::KeyStatus status, FetchStatus(session));
  session.Print(ToDocument(status), ToText(status));
  return absl::OkStatus();
}

// What `rotate` is about: an organization's name, `system` or `root`. The organization only as the line says it: a
// setting that is there for other commands must not choose what is rotated.
absl::StatusOr<std::string> TargetOf(const CommandLine& line) {
  const std::string& organization = line.settings.organization;
  if (line.admin.root + line.admin.system + !organization.empty() != 1) {
    return UsageError("say what to rotate: one of --organization NAME, --system and --root");
  }
  if (line.admin.root) return "root";
  return line.admin.system ? std::string(kSystem) : absl::StrCat("organization ", organization);
}

bool IsDone(const CommandLine& line, const v1::KeyStatus& status) {
  if (line.admin.root) return status.root_problem().empty() && status.keys_under_old_root() == 0;
  const std::string owner = line.admin.system ? kSystem : line.settings.organization;
  return std::ranges::none_of(status.rotations(),
                              [&](const v1::KeyRotation& rotation) { return rotation.organization() == owner; });
}

absl::Status WaitUntilDone(Session& session, const std::string& target) {
  const absl::Time deadline = absl::Now() + *session.line().wait;
  for (absl::Duration pause = kFirstPoll;; pause = std::min(2 * pause, kSlowestPoll)) {
    ASSIGN_OR_RETURN(const v1::KeyStatus status, FetchStatus(session));
    if (IsDone(session.line(), status)) return absl::OkStatus();
    if (absl::Now() >= deadline) {
      return MakeError(
          absl::StatusCode::kDeadlineExceeded,
          absl::StrCat("the rotation of the key of ", target, " is not done after ", DurationText(*session.line().wait),
                       "; it goes on, `keyferry admin keys status` shows how far it is"),
          {.reason = "WAIT_TIMED_OUT"});
    }
    absl::SleepFor(std::min(pause, deadline - absl::Now()));
  }
}

// The number of the new key; 0 of the root key, which has none.
absl::StatusOr<int> Begin(Session& session) {
  if (session.line().admin.root) {
    RETURN_IF_ERROR(session.Call<v1::RewrapKeysResponse>("Keys/RewrapKeys", v1::RewrapKeysRequest()).status());
    return 0;
  }
  v1::RotateOrganizationKeyRequest request;
  request.set_organization(session.line().settings.organization);
  ASSIGN_OR_RETURN(const auto response,
                   session.Call<v1::RotateOrganizationKeyResponse>("Keys/RotateOrganizationKey", request));
  return response.key_number();
}

absl::Status RotateKey(Session& session) {
  const CommandLine& line = session.line();
  ASSIGN_OR_RETURN(const std::string target, TargetOf(line));
  ASSIGN_OR_RETURN(const int number, Begin(session));
  if (line.wait) RETURN_IF_ERROR(WaitUntilDone(session, target));
  nlohmann::ordered_json document;
  document["rotated"] = line.admin.root ? "root" : line.admin.system ? kSystem : line.settings.organization;
  if (number > 0) document["keyNumber"] = number;
  document["done"] = line.wait.has_value();
  const std::string what = line.admin.root ? "all keys are wrapped by the present root key"
                                           : absl::StrCat("key ", number, " of ", target, " seals");
  session.Print(document, absl::StrCat(what, line.wait ? "; nothing is under an older one any more\n"
                                                       : " from now on; the rest is moved in the background\n"));
  return absl::OkStatus();
}

}  // namespace

void AddAdminKeyCommands(CommandTable& table) {
  table["admin keys status"] = ShowKeys;
  table["admin keys rotate"] = RotateKey;
}

}  // namespace keyferry

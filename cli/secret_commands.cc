#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/readiness_wait.h"
#include "cli/usage.h"
#include "cli/views.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/model/names.h"

namespace keyferry {
namespace {

template <typename Request>
Request About(const Session& session) {
  Request request;
  request.set_organization(session.settings().organization);
  request.set_secret_set(session.line().name);
  return request;
}

template <typename Request>
Request NewWrite(const Session& session) {
  auto request = About<Request>(session);
  request.set_etag(session.line().etag);
  request.set_request_id(NewUid());
  request.set_validate_only(session.line().dry_run);
  return request;
}

std::vector<std::string> Row(const v1::SecretSet& set) {
  const bool pull = set.type() == v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET;
  return {set.name(),
          TypeWord(set.type()),
          set.region(),
          ReadinessWord(set.readiness()),
          absl::StrCat(set.generation()),
          pull ? "-" : absl::StrCat(set.keys_size()),
          TimeText(set.update_time())};
}

absl::Status ListSets(Session& session) {
  v1::ListSecretSetsRequest request;
  request.set_organization(session.settings().organization);
  request.set_region(session.line().region);
  request.set_page_size(kDefaultPageSize);
  Table table{.header = {"NAME", "TYPE", "REGION", "STATUS", "GENERATION", "KEYS", "UPDATED"}};
  nlohmann::ordered_json sets = nlohmann::ordered_json::array();
  do {
    ASSIGN_OR_RETURN(const auto page, session.Call<v1::ListSecretSetsResponse>("SecretSets/ListSecretSets", request));
    for (const v1::SecretSet& set : page.secret_sets()) {
      table.rows.push_back(Row(set));
      sets.push_back(ToDocument(set));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  nlohmann::ordered_json document;
  document["sets"] = std::move(sets);
  session.Print(document, RenderTable(table, session.console().colour));
  return absl::OkStatus();
}

std::string SetText(const v1::SecretSet& set, bool colour) {
  std::vector<std::pair<std::string, std::string>> fields = {{"name", set.name()},
                                                             {"type", TypeWord(set.type())},
                                                             {"region", set.region()},
                                                             {"status", ReadinessWord(set.readiness())}};
  if (!set.error_message().empty()) fields.emplace_back("error", set.error_message());
  for (const v1::Condition& condition : set.conditions()) {
    if (!condition.message().empty())
      fields.emplace_back("condition",
                          absl::StrCat(condition.type(), " ", condition.status(), ": ", condition.message()));
  }
  fields.emplace_back("generation", absl::StrCat(set.generation()));
  fields.emplace_back("ready generation", absl::StrCat(set.ready_generation()));
  fields.emplace_back("created", TimeText(set.create_time()));
  fields.emplace_back("updated", TimeText(set.update_time()));
  fields.emplace_back("etag", set.etag());
  if (!set.host().empty()) fields.emplace_back("host", set.host());
  std::string text = RenderFields(fields, colour);
  if (set.type() == v1::SECRET_SET_TYPE_IMAGE_PULL_SECRET) return text;
  absl::StrAppend(&text, "keys (", set.keys_size(), "):\n");
  for (const std::string& key : set.keys()) absl::StrAppend(&text, "  ", Printable(key), "\n");
  return text;
}

absl::Status ListSecrets(Session& session) {
  if (session.line().name.empty()) return ListSets(session);
  if (!session.line().region.empty()) return UsageError("a name or --region: a set lives in one region");
  ASSIGN_OR_RETURN(const auto set,
                   session.Call<v1::SecretSet>("SecretSets/GetSecretSet", About<v1::GetSecretSetRequest>(session)));
  session.Print(ToDocument(set), SetText(set, session.console().colour));
  return absl::OkStatus();
}

absl::Status UnsetSecret(Session& session) {
  const CommandLine& line = session.line();
  if (!line.dry_run) RETURN_IF_ERROR(session.Confirm(absl::StrCat("Remove ", line.key, " from ", line.name, "?")));
  auto request = NewWrite<v1::UnsetSecretRequest>(session);
  request.set_key(line.key);
  ASSIGN_OR_RETURN(const auto response, session.Call<v1::SetSecretsResponse>("SecretSets/UnsetSecret", request));
  return ReportWrite(session, response);
}

absl::Status DeleteSet(Session& session) {
  const CommandLine& line = session.line();
  if (!line.dry_run) RETURN_IF_ERROR(session.Confirm(absl::StrCat("Delete ", line.name, " and every value in it?")));
  auto request = NewWrite<v1::DeleteSecretSetRequest>(session);
  request.set_force(line.force);
  RETURN_IF_ERROR(session.Call<v1::DeleteSecretSetResponse>("SecretSets/DeleteSecretSet", request).status());
  nlohmann::ordered_json document;
  document["name"] = line.name;
  document["deleted"] = !line.dry_run;
  if (line.dry_run) document["dryRun"] = true;
  session.Print(document, absl::StrCat(line.dry_run ? "dry run, would be deleted: " : "deleted: ", "secret set ",
                                       line.name, "\n"));
  return absl::OkStatus();
}

absl::Status WaitForSet(Session& session) {
  ASSIGN_OR_RETURN(const v1::SecretSet set,
                   WaitForSecretSet(session, session.line().name, 0, session.line().wait.value_or(kDefaultWait)));
  session.Print(ToDocument(set), absl::StrCat("ready: secret set ", set.name(), ", region ", set.region(),
                                              ", generation ", set.generation(), "\n"));
  return absl::OkStatus();
}

absl::Status ListHistory(Session& session) {
  ASSIGN_OR_RETURN(const auto history, session.Call<v1::ListGenerationsResponse>(
                                           "SecretSets/ListGenerations", About<v1::ListGenerationsRequest>(session)));
  Table table{.header = {"GENERATION", "CREATED", "AUTHOR", "KEYS"}};
  nlohmann::ordered_json generations = nlohmann::ordered_json::array();
  for (const v1::Generation& generation : history.generations()) {
    table.rows.push_back({absl::StrCat(generation.generation()), TimeText(generation.create_time()),
                          generation.author(), absl::StrJoin(generation.keys(), " ")});
    generations.push_back(ToDocument(generation));
  }
  nlohmann::ordered_json document;
  document["generations"] = std::move(generations);
  session.Print(document, RenderTable(table, false));
  return absl::OkStatus();
}

absl::Status RollBack(Session& session) {
  const CommandLine& line = session.line();
  if (!line.dry_run)
    RETURN_IF_ERROR(
        session.Confirm(absl::StrCat("Give ", line.name, " the keys and values of generation ", line.generation, "?")));
  auto request = NewWrite<v1::RollbackSecretSetRequest>(session);
  request.set_generation(line.generation);
  ASSIGN_OR_RETURN(const auto response, session.Call<v1::SetSecretsResponse>("SecretSets/RollbackSecretSet", request));
  return ReportWrite(session, response);
}

}  // namespace

void AddSecretCommands(CommandTable& table) {
  table["secrets list"] = ListSecrets;
  table["secrets unset"] = UnsetSecret;
  table["secrets delete"] = DeleteSet;
  table["secrets wait"] = WaitForSet;
  table["secrets history"] = ListHistory;
  table["secrets rollback"] = RollBack;
}

}  // namespace keyferry

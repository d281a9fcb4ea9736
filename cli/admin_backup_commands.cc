// admin backup, admin backups, admin restore
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/error_report.h"
#include "cli/output.h"
#include "cli/views.h"
#include "keyferry/v1/backups.pb.h"
#include "libs/common/error.h"
#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

// A large store on a slow disk.
constexpr absl::Duration kBackupTimeout = absl::Hours(6);
constexpr char kRestoreProgram[] = "keyferry-api";

nlohmann::ordered_json ToDocument(const v1::Backup& backup) {
  nlohmann::ordered_json document;
  document["name"] = backup.name();
  document["createTime"] = TimeText(backup.create_time());
  document["revision"] = backup.revision();
  document["totalBytes"] = backup.total_bytes();
  document["newBytes"] = backup.new_bytes();
  return document;
}

absl::Status CreateBackup(Session& session) {
  ASSIGN_OR_RETURN(const auto backup,
                   session.Call<v1::Backup>("Backups/CreateBackup", v1::CreateBackupRequest(), kBackupTimeout));
  session.Print(ToDocument(backup), absl::StrCat("created: backup ", backup.name(), ", ", backup.total_bytes(),
                                                 " bytes, ", backup.new_bytes(), " of them new\n"));
  return absl::OkStatus();
}

absl::Status ListBackups(Session& session) {
  ASSIGN_OR_RETURN(const auto response,
                   session.Call<v1::ListBackupsResponse>("Backups/ListBackups", v1::ListBackupsRequest()));
  Table table{.header = {"NAME", "CREATED", "REVISION", "BYTES", "NEW BYTES"}};
  nlohmann::ordered_json document;
  document["backups"] = nlohmann::ordered_json::array();
  for (const v1::Backup& backup : response.backups()) {
    table.rows.push_back({backup.name(), TimeText(backup.create_time()), absl::StrCat(backup.revision()),
                          absl::StrCat(backup.total_bytes()), absl::StrCat(backup.new_bytes())});
    document["backups"].push_back(ToDocument(backup));
  }
  std::string text = RenderTable(table, false);
  if (response.has_next_time()) {
    document["nextTime"] = TimeText(response.next_time());
    absl::StrAppend(&text, "next: ", TimeText(response.next_time()), "\n");
  }
  document["lastProblem"] = response.last_problem();
  if (!response.last_problem().empty()) absl::StrAppend(&text, "problem: ", Printable(response.last_problem()), "\n");
  session.Print(document, text);
  return absl::OkStatus();
}

std::vector<std::string> RestoreArguments(const CommandLine& line) {
  const AdminFlags& flags = line.admin;
  std::vector<std::string> arguments = {kRestoreProgram, "restore", "--from", flags.from, "--keyring", flags.keyring};
  const std::pair<const char*, const std::string&> optional[] = {
      {"--backup", flags.backup}, {"--data-dir", flags.data_directory}, {"--shred-ledger", flags.shred_ledger}};
  for (const auto& [flag, value] : optional) {
    if (!value.empty()) arguments.insert(arguments.end(), {flag, value});
  }
  if (flags.without_shred_ledger) arguments.push_back("--without-shred-ledger");
  if (line.dry_run) arguments.push_back("--dry-run");
  return arguments;
}

// This program has no code that opens a store: it becomes the one that has.
absl::Status BecomeRestore(Session& session) {
  std::vector<std::string> arguments = RestoreArguments(session.line());
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  std::error_code ignored;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  execv((self.parent_path() / kRestoreProgram).c_str(), pointers.data());
  execvp(kRestoreProgram, pointers.data());
  const std::string message =
      absl::StrCat("cannot run ", kRestoreProgram, ": ", std::strerror(errno),
                   "; restore on the machine of the API, where it is beside keyferry or on PATH");
  return MakeError(absl::StatusCode::kFailedPrecondition, message, {.reason = kProgramNotFoundReason});
}

}  // namespace

void AddAdminBackupCommands(CommandTable& table) {
  table["admin backup"] = CreateBackup;
  table["admin backups"] = ListBackups;
  table["admin restore"] = BecomeRestore;
}

}  // namespace keyferry

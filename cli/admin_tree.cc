#include "cli/admin_tree.h"

#include <CLI/CLI.hpp>

namespace keyferry {
namespace {

CLI::App* AddGroup(CLI::App* app, const std::string& name, const std::string& what) {
  CLI::App* group = app->add_subcommand(name, what);
  group->require_subcommand(1);
  return group;
}

void AddKeys(CLI::App* admin, CommandLine& line, std::string& wait) {
  CLI::App* keys = AddGroup(admin, "keys", "Root key, keys of organizations, sealing keys of regions");
  keys->add_subcommand("status", "Show their age and the rotations that run");
  CLI::App* rotate = keys->add_subcommand("rotate", "Rotate the key of --organization, of the system's rows, or wrap all keys by the present root key");
  rotate->add_flag("--system", line.admin.system, "The key of the system's rows");
  rotate->add_flag("--root", line.admin.root, "Wrap all keys by the keyring's, or the KMS's, present root key");
  rotate->add_flag("--wait{5m}", wait, "Wait until nothing is under an older key: --wait or --wait=1m");
}

void AddBackups(CLI::App* admin, CommandLine& line) {
  admin->add_subcommand("backup", "Make a backup now");
  admin->add_subcommand("backups", "List the backups");
  CLI::App* restore = admin->add_subcommand("restore", "Restore a backup into an empty directory, beside a stopped API, with keyferry-api");
  restore->add_option("--from", line.admin.from, "Directory of the backups")->required();
  restore->add_option("--backup", line.admin.backup, "Its name; the newest where absent");
  restore->add_option("--data-dir", line.admin.data_directory, "Where the store is to be; an empty directory, or none yet");
  restore->add_option("--keyring", line.admin.keyring, "Keyring file with the backup's keys")->required();
  restore->add_option("--shred-ledger", line.admin.shred_ledger, "What was deleted since; in the directory of the backups where absent");
  restore->add_flag("--without-shred-ledger", line.admin.without_shred_ledger, "Let what was deleted since come back");
  restore->add_flag("--dry-run", line.dry_run, "Verify all of it, write nothing");
}

void AddAudit(CLI::App* admin, CommandLine& line) {
  CLI::App* audit = AddGroup(admin, "audit", "The audit trail of --organization; the system's where absent");
  CLI::App* list = audit->add_subcommand("list", "Show records");
  list->add_option("--since-number", line.admin.since_number, "From this record on");
  CLI::App* write = audit->add_subcommand("export", "Write all records and the newest signed head as JSON lines");
  write->add_option("--to", line.admin.to, "File; standard output where absent");
  write->add_option("--since-number", line.admin.since_number, "From this record on");
  CLI::App* verify = audit->add_subcommand("verify", "Find an edited, dropped, reordered or truncated record in exports; needs no API");
  verify->add_option("FILE", line.admin.files, "Exports, or files of the API's --audit-directory, in order")->required();
  verify->add_option("--public-key", line.admin.public_key, "Base64 of the key that heads must be signed with");
  verify->add_option("--expect-head", line.admin.expected_head, "File with a later head, kept elsewhere: shows what was cut off the end");
  verify->add_flag("--accept-start", line.admin.accept_start, "A file may begin after record 1, where its first lines say");
  verify->add_flag("--accept-unsigned-tail", line.admin.accept_unsigned_tail,
                   "With --public-key: records behind the last signed head count, though whoever could write the file could have replaced them");
}

void AddIdentities(CLI::App* admin, CommandLine& line) {
  CLI::App* identities = AddGroup(admin, "identities", "Certificates' identities that count no longer");
  identities->add_subcommand("list", "List them");
  CLI::App* revoke = identities->add_subcommand("revoke", "Refuse a SPIFFE id for good, and end its streams");
  revoke->add_option("SPIFFE_ID", line.name, "The whole id")->required();
  revoke->add_option("--note", line.admin.note, "Why, for people");
}

}  // namespace

void AddAdminTree(CLI::App& app, CommandLine& line, std::string& wait) {
  CLI::App* admin = AddGroup(&app, "admin", "What operators do");
  admin->add_subcommand("status", "Show the installation at a glance, and what needs somebody");
  AddKeys(admin, line, wait);
  AddBackups(admin, line);
  AddAudit(admin, line);
  AddIdentities(admin, line);
}

}  // namespace keyferry

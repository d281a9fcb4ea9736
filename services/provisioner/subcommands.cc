#include "services/provisioner/subcommands.h"

#include <iostream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/keyring.h"
#include "services/provisioner/command_line.h"
#include "services/provisioner/enrollment.h"
#include "services/provisioner/region_keys.h"

namespace keyferry {
namespace {

absl::Status PrintPublicKey(const std::string& keyring) {
  ASSIGN_OR_RETURN(const RegionKeySet keys, RegionKeySet::Load(keyring, ""));
  std::cout << absl::Base64Escape(keys.current().public_key()) << std::endl;
  return absl::OkStatus();
}

absl::Status RetireKeys(const std::string& path) {
  ASSIGN_OR_RETURN(const Keyring keyring, Keyring::Load(path, ""));
  for (const Keyring::Listed& key : keyring.List()) {
    if (key.purpose == KeyPurpose::kRegion && key.state == KeyState::kPrevious)
      RETURN_IF_ERROR(Keyring::Retire(path, KeyPurpose::kRegion, key.id));
  }
  return absl::OkStatus();
}

absl::Status EnrollHere() {
  ASSIGN_OR_RETURN(const EnrollCommand command, EnrollCommandFromFlags());
  ASSIGN_OR_RETURN(const RegionKeySet keys, RegionKeySet::Load(command.keyring, ""));
  ASSIGN_OR_RETURN(const IdentityDirectory directory,
                   IdentityDirectory::Open(command.identity_directory, command.settings.roots));
  ASSIGN_OR_RETURN(const Identity identity, EnrollInto(directory, command.settings, keys));
  std::cout << absl::StrCat("enrolled: ", identity.spiffe_id, ", certificate until ",
                            absl::FormatTime(absl::RFC3339_sec, identity.expire_time, absl::UTCTimeZone()),
                            ", renewed while `keyferry-provisioner --identity ", directory.path(), "` serves\n");
  return absl::OkStatus();
}

absl::Status Run(const std::vector<std::string>& words) {
  const std::string& name = words[0];
  if (name == "enroll" && words.size() == 1) return EnrollHere();
  if (words.size() != 2 ||
      (name != "init-keyring" && name != "public-key" && name != "rotate-key" && name != "retire-keys")) {
    return absl::InvalidArgumentError(
        "usage: keyferry-provisioner [flags] | enroll [flags] | init-keyring PATH | public-key "
        "PATH | rotate-key PATH | retire-keys PATH");
  }
  if (name == "init-keyring") RETURN_IF_ERROR(Keyring::Create(words[1], {KeyPurpose::kRegion}));
  if (name == "rotate-key") RETURN_IF_ERROR(Keyring::AddKey(words[1], KeyPurpose::kRegion).status());
  if (name == "retire-keys") RETURN_IF_ERROR(RetireKeys(words[1]));
  return PrintPublicKey(words[1]);
}

}  // namespace

int RunSubcommand(const std::vector<std::string>& words) {
  SetLogLevel(Severity::kWarning);
  const absl::Status status = Run(words);
  const std::string reason = ReasonOf(status);
  if (!status.ok())
    std::cerr << absl::StrCat("error: ", status.message(), "\n", reason.empty() ? "" : "  reason: ", reason,
                              reason.empty() ? "" : "\n");
  return ExitCodeOf(status);
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return 0;
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) return kExitUnavailable;
  const bool refused =
      absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status) || absl::IsAlreadyExists(status);
  return refused || ReasonOf(status) == "SEALING_KEY_MISMATCH" ? kExitRefused : kExitConfiguration;
}

}  // namespace keyferry

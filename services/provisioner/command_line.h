// The command line of keyferry-provisioner, parsed and checked.
//
// Thread safety: ParseCommandLine once, at the start of main.
#ifndef KEYFERRY_SERVICES_PROVISIONER_COMMAND_LINE_H_
#define KEYFERRY_SERVICES_PROVISIONER_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/rpc/acceptor.h"
#include "libs/rpc/credentials.h"
#include "services/provisioner/enrollment.h"

namespace keyferry {

struct Settings {
  std::string api;
  // With an identity directory: empty, or what its certificate must say.
  std::string region;
  std::string provisioner_id;
  std::string data_directory;
  std::string keyring;
  // Without certificate and key when there is an identity directory.
  TlsFiles tls;
  std::string identity_directory;
  // Its token_file may be empty.
  EnrollmentSettings enrollment;
  // Empty: no files.
  std::string files_directory;
  bool allow_disk_files = false;
  ListenerOptions agent_listener;
  std::string agent_socket;
  // Empty: none.
  std::string metrics_address;
  std::string log_level;
  // Empty: none.
  std::string ready_file;
};

// `enroll`.
struct EnrollCommand {
  EnrollmentSettings settings;
  std::string keyring;
  std::string identity_directory;
};

// The words that are no flags, without the program's name. Flags may be written with hyphens or underscores; an unknown
// one ends the process.
std::vector<std::string> ParseCommandLine(int argc, char** argv);
// InvalidArgument INVALID_FLAGS with every bad flag.
absl::StatusOr<Settings> SettingsFromFlags();
absl::StatusOr<EnrollCommand> EnrollCommandFromFlags();

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_COMMAND_LINE_H_

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

namespace keyferry {

struct Settings {
  std::string api;
  std::string region;
  std::string provisioner_id;
  std::string data_directory;
  std::string keyring;
  TlsFiles tls;
  // Empty: no files.
  std::string files_directory;
  bool allow_disk_files = false;
  ListenerOptions agent_listener;
  std::string agent_socket;
  std::string log_level;
  // Empty: none.
  std::string ready_file;
};

// The words that are no flags, without the program's name. Flags may be written with hyphens or underscores; an unknown
// one ends the process.
std::vector<std::string> ParseCommandLine(int argc, char** argv);
// InvalidArgument INVALID_FLAGS with every bad flag.
absl::StatusOr<Settings> SettingsFromFlags();

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_COMMAND_LINE_H_

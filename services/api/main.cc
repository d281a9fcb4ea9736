// keyferry-api: the only writer of the store. serve.cc builds it. Exit codes: 0 stopped as told; 69 the KMS is away and
// holds the system's key; 70 the store; 78 configuration, keyring, KMS socket, certificates, addresses.
#include <cstdio>

#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/common/process_hygiene.h"
#include "libs/common/stop_signal.h"
#include "libs/rpc/grpc_log.h"
#include "services/api/api_options.h"
#include "services/api/keyring_command.h"
#include "services/api/restore_command.h"
#include "services/api/serve.h"

namespace keyferry {
namespace {

int Main(int argc, char** argv) {
  BlockStopSignals();
  BlockHangUp();
  HardenProcess();
  FAILPOINTS_FROM_ENVIRONMENT();
  SetLogProcess("keyferry-api");
  RedirectGrpcLog();
  const auto options = ParseCommandLine(argc, argv);
  if (!options.ok()) return Fail(options.status(), kExitConfiguration);
  if (const absl::Status level = SetLogLevel(options->log_level); !level.ok()) return Fail(level, kExitConfiguration);
  if (!options->restore_command.empty()) return RunRestoreCommand(*options);
  if (options->keyring_words.empty()) {
    const auto log_writer = LogWriter::Start();
    return Serve(*options);
  }
  const auto output = RunKeyringCommand(options->keyring_words, options->data_directory);
  if (!output.ok()) return Fail(output.status(), kExitConfiguration);
  std::fputs(output->c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : kExitConfiguration;
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) { return keyferry::Main(argc, argv); }

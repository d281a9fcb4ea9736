// keyferry-provisioner: one region's end of Keyferry. Exit codes: subcommands.h.
#include <google/protobuf/stubs/logging.h>
#include <sys/stat.h>

#include "libs/common/failpoint.h"
#include "libs/common/log.h"
#include "libs/common/process_hygiene.h"
#include "libs/common/status_macros.h"
#include "libs/common/stop_signal.h"
#include "services/provisioner/command_line.h"
#include "services/provisioner/serve.h"
#include "services/provisioner/subcommands.h"

namespace keyferry {
namespace {

absl::Status ServeUntilStopped() {
  // Before any thread starts.
  BlockStopSignals();
  BlockHangUp();
  ASSIGN_OR_RETURN(Settings settings, SettingsFromFlags());
  return Serve(std::move(settings));
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) {
  keyferry::HardenProcess();
  FAILPOINTS_FROM_ENVIRONMENT();
  umask(0077);
  // It writes lines of its own form about hostile bytes.
  google::protobuf::SetLogHandler(nullptr);
  keyferry::SetLogProcess("keyferry-provisioner");
  const std::vector<std::string> words = keyferry::ParseCommandLine(argc, argv);
  if (!words.empty()) return keyferry::RunSubcommand(words);
  const absl::Status status = keyferry::ServeUntilStopped();
  if (!status.ok()) keyferry::Log(keyferry::Severity::kError, "cannot_run", {{"error", status}});
  return keyferry::ExitCodeOf(status);
}

#include "services/api/serve_jobs.h"

#include <utility>

#include "libs/common/log.h"

namespace keyferry {
namespace {

constexpr absl::Duration kReadinessInterval = absl::Seconds(1);
constexpr char kReadyService[] = "ready";

}  // namespace

void KeepReportingReadiness(RpcServer& server, RootKeys& root_keys, Executor& executor, const std::atomic<bool>& draining) {
  server.SetServing(kReadyService, root_keys.Health().ok() && !draining);
  executor.RunAfter(kReadinessInterval, [&] { KeepReportingReadiness(server, root_keys, executor, draining); });
}

void ReadKeyringAgain(const ApiOptions& options, KeyringRootKeys& root_keys, KeyRotation& rotation) {
  auto keyring = Keyring::Load(options.keyring, options.data_directory);
  const absl::Status replaced = keyring.ok() ? root_keys.Replace(*std::move(keyring)) : keyring.status();
  if (!replaced.ok()) return Log(Severity::kError, "keyring_refused", {{"error", replaced}});
  Log(Severity::kInfo, "keyring_read_again");
  rotation.CheckRoot();
}

BackupSetup BackupSetupOf(const ApiOptions& options) {
  return {.data_directory = options.data_directory,
          .keyring_path = options.keyring,
          .backup_directory = options.backup_directory,
          .shred_ledger = options.shred_ledger,
          .interval = options.backup_interval,
          .retention = options.backup_retention};
}

}  // namespace keyferry

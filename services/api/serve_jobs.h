// What serve.cc keeps doing while it serves, and what its flags say of a part.
#ifndef KEYFERRY_SERVICES_API_SERVE_JOBS_H_
#define KEYFERRY_SERVICES_API_SERVE_JOBS_H_

#include <atomic>

#include "libs/common/executor.h"
#include "libs/crypto/root_keys.h"
#include "libs/rpc/server.h"
#include "services/api/api_options.h"
#include "services/api/backup_setup.h"
#include "services/api/key_rotation.h"

namespace keyferry {

// A probe that names the service `ready` learns of a KMS outage; the others do not, for a restart would throw the keys in memory away. Goes on until
// the executor ends; all outlive that.
void KeepReportingReadiness(RpcServer& server, RootKeys& root_keys, Executor& executor, const std::atomic<bool>& draining);

// The operator has changed the keyring: the keys of the store are wrapped by its current root key from now on.
void ReadKeyringAgain(const ApiOptions& options, KeyringRootKeys& root_keys, KeyRotation& rotation);

// What the flags say of backups.
BackupSetup BackupSetupOf(const ApiOptions& options);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SERVE_JOBS_H_

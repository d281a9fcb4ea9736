// `keyferry-api restore` and `keyferry-api verify-backup`; `keyferry admin restore` becomes them.
#ifndef KEYFERRY_SERVICES_API_RESTORE_COMMAND_H_
#define KEYFERRY_SERVICES_API_RESTORE_COMMAND_H_

#include "services/api/api_options.h"

namespace keyferry {

// Says on standard output what was done, or on standard error what is wrong; the process's exit code: 0; 70 a damaged
// backup or ledger, or the disk; 78 flags, keyring, a directory that is not empty, a backup or a ledger that is not
// there.
int RunRestoreCommand(const ApiOptions& options);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_RESTORE_COMMAND_H_

// What the API starts of the audit trail.
#ifndef KEYFERRY_SERVICES_API_AUDIT_SETUP_H_
#define KEYFERRY_SERVICES_API_AUDIT_SETUP_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/crypto/keyring.h"
#include "libs/storage/barrier.h"
#include "services/api/audit_reader.h"
#include "services/api/audit_trail.h"

namespace keyferry {

struct RunningAudit {
  std::unique_ptr<AuditReader> reader;
  std::unique_ptr<StoredAuditTrail> trail;
};

// `directory`: of the second sink; empty: there is none. A keyring without an audit key leaves chains unsigned, and the
// log says so. The errors of AuditFiles::Open; FailedPrecondition: the key is no seed. All but the keyring and the
// directory outlive what runs.
absl::StatusOr<RunningAudit> StartAudit(const std::string& directory, const Keyring& keyring, const Writer& writer,
                                        Barrier& barrier, const Clock& clock);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_AUDIT_SETUP_H_

// The Backups RPCs.
#ifndef KEYFERRY_SERVICES_API_BACKUP_SERVICE_H_
#define KEYFERRY_SERVICES_API_BACKUP_SERVICE_H_

#include <memory>

#include "services/api/guard.h"
#include "services/api/transaction.h"

namespace grpc {
class Service;
}

namespace keyferry {

class Backups;

// All outlive the service. Null: the API was given no directory. The writer is for the audit records of backups on
// demand.
std::unique_ptr<grpc::Service> NewBackupsService(Guard& guard, Backups* backups, const Writer& writer);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_BACKUP_SERVICE_H_

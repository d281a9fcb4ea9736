// Audit records and heads to and from the wire.
//
// Thread safety: free functions.
#ifndef KEYFERRY_RPC_AUDIT_CONVERSION_H_
#define KEYFERRY_RPC_AUDIT_CONVERSION_H_

#include "keyferry/v1/audit.pb.h"
#include "libs/model/audit_record.h"

namespace keyferry {

void ToProto(const AuditRecord& record, v1::AuditRecord& wire);
void ToProto(const SignedAuditHead& head, v1::AuditHead& wire);
AuditRecord FromProto(const v1::AuditRecord& wire);
SignedAuditHead FromProto(const v1::AuditHead& wire);

}  // namespace keyferry

#endif  // KEYFERRY_RPC_AUDIT_CONVERSION_H_

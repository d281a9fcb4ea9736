#include "libs/rpc/audit_conversion.h"

#include "libs/rpc/model_conversion.h"

namespace keyferry {
namespace {

absl::Time TimeOf(const google::protobuf::Timestamp& wire) {
  return absl::FromUnixSeconds(wire.seconds()) + absl::Nanoseconds(wire.nanos());
}

}  // namespace

void ToProto(const AuditRecord& record, v1::AuditRecord& wire) {
  wire.set_number(record.number);
  wire.set_organization(record.organization);
  *wire.mutable_time() = ToProto(record.time);
  wire.set_principal(record.principal);
  wire.set_role(record.role);
  wire.set_method(record.method);
  wire.set_decision(static_cast<v1::AuditDecision>(record.decision));
  wire.set_code(record.code);
  wire.set_reason(record.reason);
  wire.set_object_kind(record.object_kind);
  wire.set_object_name(record.object_name);
  wire.set_region(record.region);
  wire.set_generation(record.generation);
  wire.set_request_id(record.request_id);
  wire.set_revision(record.revision);
  wire.set_previous_hash(record.previous_hash);
  wire.set_hash(record.hash);
}

void ToProto(const SignedAuditHead& head, v1::AuditHead& wire) {
  wire.set_organization(head.organization);
  wire.set_number(head.number);
  wire.set_hash(head.hash);
  *wire.mutable_time() = ToProto(head.time);
  wire.set_signature(head.signature);
  wire.set_public_key(head.public_key);
}

AuditRecord FromProto(const v1::AuditRecord& wire) {
  return {.number = wire.number(),
          .organization = wire.organization(),
          .time = TimeOf(wire.time()),
          .principal = wire.principal(),
          .role = wire.role(),
          .method = wire.method(),
          .decision = static_cast<AuditDecision>(wire.decision()),
          .code = wire.code(),
          .reason = wire.reason(),
          .object_kind = wire.object_kind(),
          .object_name = wire.object_name(),
          .region = wire.region(),
          .generation = wire.generation(),
          .request_id = wire.request_id(),
          .revision = wire.revision(),
          .previous_hash = wire.previous_hash(),
          .hash = wire.hash()};
}

SignedAuditHead FromProto(const v1::AuditHead& wire) {
  return {.organization = wire.organization(),
          .number = wire.number(),
          .hash = wire.hash(),
          .time = TimeOf(wire.time()),
          .signature = wire.signature(),
          .public_key = wire.public_key()};
}

}  // namespace keyferry

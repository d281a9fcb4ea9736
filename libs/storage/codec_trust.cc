// Rows of trust_rows.h.
#include "libs/common/status_macros.h"
#include "libs/storage/codec.h"
#include "libs/storage/record_io.h"

namespace keyferry {

std::string Encode(const EnrollmentTokenRow& row) {
  Scratch<storage::EnrollmentTokenRecord> scratch;
  auto& record = *scratch;
  record.set_region(row.region);
  record.set_secret_hmac(row.secret_hmac);
  record.set_pepper_id(row.pepper_id);
  record.set_author(row.author);
  FillTime(row.create_time, record.mutable_create_time());
  FillTime(row.expire_time, record.mutable_expire_time());
  if (row.use_time != absl::InfiniteFuture()) FillTime(row.use_time, record.mutable_use_time());
  record.set_provisioner_id(row.provisioner_id);
  return Serialize(record);
}

template <>
absl::StatusOr<EnrollmentTokenRow> Decode(std::string_view bytes) {
  Scratch<storage::EnrollmentTokenRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return EnrollmentTokenRow{.region = record.region(),
                            .secret_hmac = record.secret_hmac(),
                            .pepper_id = record.pepper_id(),
                            .author = record.author(),
                            .create_time = TimeOf(record.create_time()),
                            .expire_time = TimeOf(record.expire_time()),
                            .use_time = record.has_use_time() ? TimeOf(record.use_time()) : absl::InfiniteFuture(),
                            .provisioner_id = record.provisioner_id()};
}

std::string Encode(const ProvisionerRow& row) {
  Scratch<storage::ProvisionerRecord> scratch;
  auto& record = *scratch;
  FillTime(row.enroll_time, record.mutable_enroll_time());
  FillTime(row.certificate_expiry, record.mutable_certificate_expiry());
  if (row.revoke_time != absl::InfiniteFuture()) FillTime(row.revoke_time, record.mutable_revoke_time());
  record.set_certificate_serial(row.certificate_serial);
  return Serialize(record);
}

template <>
absl::StatusOr<ProvisionerRow> Decode(std::string_view bytes) {
  Scratch<storage::ProvisionerRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return ProvisionerRow{.enroll_time = TimeOf(record.enroll_time()),
                        .certificate_expiry = TimeOf(record.certificate_expiry()),
                        .revoke_time = record.has_revoke_time() ? TimeOf(record.revoke_time()) : absl::InfiniteFuture(),
                        .certificate_serial = record.certificate_serial()};
}

std::string Encode(const RegionAuthorityRow& row) {
  Scratch<storage::RegionAuthorityRecord> scratch;
  auto& record = *scratch;
  record.set_certificate_pem(row.certificate_pem);
  record.set_private_key(row.private_key);
  FillTime(row.create_time, record.mutable_create_time());
  return Serialize(record);
}

template <>
absl::StatusOr<RegionAuthorityRow> Decode(std::string_view bytes) {
  Scratch<storage::RegionAuthorityRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return RegionAuthorityRow{.certificate_pem = record.certificate_pem(),
                            .private_key = record.private_key(),
                            .create_time = TimeOf(record.create_time())};
}

std::string Encode(const RevokedIdentityRow& row) {
  Scratch<storage::RevokedIdentityRecord> scratch;
  auto& record = *scratch;
  record.set_note(row.note);
  record.set_author(row.author);
  FillTime(row.revoke_time, record.mutable_revoke_time());
  return Serialize(record);
}

template <>
absl::StatusOr<RevokedIdentityRow> Decode(std::string_view bytes) {
  Scratch<storage::RevokedIdentityRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return RevokedIdentityRow{.note = record.note(),
                            .author = record.author(),
                            .revoke_time = TimeOf(record.revoke_time())};
}

std::string Encode(const ShredRow& row) {
  Scratch<storage::ShredRecord> scratch;
  auto& record = *scratch;
  record.set_organization(row.organization);
  record.set_set(row.set);
  FillTime(row.delete_time, record.mutable_delete_time());
  if (row.shred_time != absl::InfiniteFuture()) FillTime(row.shred_time, record.mutable_shred_time());
  return Serialize(record);
}

template <>
absl::StatusOr<ShredRow> Decode(std::string_view bytes) {
  Scratch<storage::ShredRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return ShredRow{.organization = record.organization(),
                  .set = record.set(),
                  .delete_time = TimeOf(record.delete_time()),
                  .shred_time = record.has_shred_time() ? TimeOf(record.shred_time()) : absl::InfiniteFuture()};
}

std::string Encode(const RotationRow& row) {
  Scratch<storage::RotationRecord> scratch;
  auto& record = *scratch;
  FillTime(row.begin_time, record.mutable_begin_time());
  record.set_family(row.family + 1);
  record.set_cursor(row.cursor);
  record.set_visited_count(row.visited_count);
  record.set_moved_count(row.moved_count);
  record.set_blocked_count(row.blocked_count);
  return Serialize(record);
}

template <>
absl::StatusOr<RotationRow> Decode(std::string_view bytes) {
  Scratch<storage::RotationRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return RotationRow{.begin_time = TimeOf(record.begin_time()),
                     .family = record.family() - 1,
                     .cursor = record.cursor(),
                     .visited_count = record.visited_count(),
                     .moved_count = record.moved_count(),
                     .blocked_count = record.blocked_count()};
}

std::string Encode(const AuditRow& row) {
  Scratch<storage::AuditRecord> scratch;
  auto& record = *scratch;
  record.set_number(row.number);
  record.set_organization(row.organization);
  FillTime(row.time, record.mutable_time());
  record.set_principal(row.principal);
  record.set_role(row.role);
  record.set_method(row.method);
  record.set_decision(static_cast<int32_t>(row.decision));
  record.set_code(row.code);
  record.set_reason(row.reason);
  record.set_object_kind(row.object_kind);
  record.set_object_name(row.object_name);
  record.set_region(row.region);
  record.set_generation(row.generation);
  record.set_request_id(row.request_id);
  record.set_revision(row.revision);
  record.set_previous_hash(row.previous_hash);
  record.set_hash(row.hash);
  return Serialize(record);
}

template <>
absl::StatusOr<AuditRow> Decode(std::string_view bytes) {
  Scratch<storage::AuditRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  ASSIGN_OR_RETURN(const AuditDecision decision, EnumOf(record.decision(), AuditDecision::kDone, AuditDecision::kDelivered));
  return AuditRow{.number = record.number(),
                  .organization = record.organization(),
                  .time = TimeOf(record.time()),
                  .principal = record.principal(),
                  .role = record.role(),
                  .method = record.method(),
                  .decision = decision,
                  .code = record.code(),
                  .reason = record.reason(),
                  .object_kind = record.object_kind(),
                  .object_name = record.object_name(),
                  .region = record.region(),
                  .generation = record.generation(),
                  .request_id = record.request_id(),
                  .revision = record.revision(),
                  .previous_hash = record.previous_hash(),
                  .hash = record.hash()};
}

std::string Encode(const AuditHeadRow& row) {
  Scratch<storage::AuditHeadRecord> scratch;
  auto& record = *scratch;
  record.set_number(row.number);
  record.set_hash(row.hash);
  FillTime(row.time, record.mutable_time());
  record.set_signature(row.signature);
  record.set_signed_number(row.signed_number);
  record.set_signed_hash(row.signed_hash);
  FillTime(row.sign_time, record.mutable_sign_time());
  return Serialize(record);
}

template <>
absl::StatusOr<AuditHeadRow> Decode(std::string_view bytes) {
  Scratch<storage::AuditHeadRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return AuditHeadRow{.number = record.number(),
                      .hash = record.hash(),
                      .time = TimeOf(record.time()),
                      .signature = record.signature(),
                      .signed_number = record.signed_number(),
                      .signed_hash = record.signed_hash(),
                      .sign_time = TimeOf(record.sign_time())};
}

}  // namespace keyferry

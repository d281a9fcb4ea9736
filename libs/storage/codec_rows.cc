// Rows that are defined beside the codec.
#include "libs/common/status_macros.h"
#include "libs/storage/codec.h"
#include "libs/storage/record_io.h"

namespace keyferry {

std::string Encode(const OrganizationRow& row) {
  storage::OrganizationRecord record;
  record.set_uid(row.uid);
  record.set_display_name(row.display_name);
  FillTime(row.create_time, record.mutable_create_time());
  record.set_default_region(row.default_region);
  return Serialize(record);
}

template <>
absl::StatusOr<OrganizationRow> Decode(std::string_view bytes) {
  ASSIGN_OR_RETURN(const auto record, Parse<storage::OrganizationRecord>(bytes));
  return OrganizationRow{.uid = record.uid(),
                         .display_name = record.display_name(),
                         .create_time = TimeOf(record.create_time()),
                         .default_region = record.default_region()};
}

std::string Encode(const WrappedKeyRow& row) {
  storage::WrappedKeyRecord record;
  record.set_root_key_id(row.root_key_id);
  record.set_wrapped_key(row.wrapped_key);
  FillTime(row.create_time, record.mutable_create_time());
  return Serialize(record);
}

template <>
absl::StatusOr<WrappedKeyRow> Decode(std::string_view bytes) {
  ASSIGN_OR_RETURN(const auto record, Parse<storage::WrappedKeyRecord>(bytes));
  return WrappedKeyRow{.root_key_id = record.root_key_id(),
                       .wrapped_key = record.wrapped_key(),
                       .create_time = TimeOf(record.create_time())};
}

std::string Encode(const ApiKeyRow& row) {
  storage::ApiKeyRecord record;
  record.set_organization(row.organization);
  record.set_display_name(row.display_name);
  record.set_role(static_cast<int32_t>(row.role));
  record.set_secret_hmac(row.secret_hmac);
  record.set_pepper_id(row.pepper_id);
  record.set_author(row.author);
  FillTime(row.create_time, record.mutable_create_time());
  if (row.revoke_time != absl::InfiniteFuture()) FillTime(row.revoke_time, record.mutable_revoke_time());
  return Serialize(record);
}

template <>
absl::StatusOr<ApiKeyRow> Decode(std::string_view bytes) {
  ASSIGN_OR_RETURN(const auto record, Parse<storage::ApiKeyRecord>(bytes));
  ASSIGN_OR_RETURN(const Role role, EnumOf(record.role(), Role::kAdmin, Role::kViewer));
  return ApiKeyRow{.organization = record.organization(),
                   .display_name = record.display_name(),
                   .role = role,
                   .secret_hmac = record.secret_hmac(),
                   .pepper_id = record.pepper_id(),
                   .author = record.author(),
                   .create_time = TimeOf(record.create_time()),
                   .revoke_time = record.has_revoke_time() ? TimeOf(record.revoke_time()) : absl::InfiniteFuture()};
}

std::string Encode(const RegionRow& row) {
  storage::RegionRecord record;
  record.set_display_name(row.display_name);
  record.set_sealing_key(row.sealing_key);
  record.set_blind(row.blind);
  FillTime(row.create_time, record.mutable_create_time());
  return Serialize(record);
}

template <>
absl::StatusOr<RegionRow> Decode(std::string_view bytes) {
  ASSIGN_OR_RETURN(const auto record, Parse<storage::RegionRecord>(bytes));
  return RegionRow{.display_name = record.display_name(),
                   .sealing_key = record.sealing_key(),
                   .blind = record.blind(),
                   .create_time = TimeOf(record.create_time())};
}

std::string Encode(const RegionStateRow& row) {
  storage::RegionStateRecord record;
  record.set_target_incarnation(row.target_incarnation);
  record.set_epoch(row.epoch);
  record.set_synced_incarnation(row.synced_incarnation);
  record.set_synced_lineage(static_cast<uint32_t>(row.synced_lineage));
  record.set_resync_requested(row.resync_requested);
  record.set_allow_mass_delete(row.allow_mass_delete);
  return Serialize(record);
}

template <>
absl::StatusOr<RegionStateRow> Decode(std::string_view bytes) {
  ASSIGN_OR_RETURN(const auto record, Parse<storage::RegionStateRecord>(bytes));
  return RegionStateRow{.target_incarnation = record.target_incarnation(),
                        .epoch = record.epoch(),
                        .synced_incarnation = record.synced_incarnation(),
                        .synced_lineage = record.synced_lineage(),
                        .resync_requested = record.resync_requested(),
                        .allow_mass_delete = record.allow_mass_delete()};
}

std::string Encode(const RequestRow& row) {
  storage::RequestRecord record;
  record.set_content_digest(row.content_digest);
  record.set_response(row.response);
  FillTime(row.create_time, record.mutable_create_time());
  return Serialize(record);
}

template <>
absl::StatusOr<RequestRow> Decode(std::string_view bytes) {
  ASSIGN_OR_RETURN(const auto record, Parse<storage::RequestRecord>(bytes));
  return RequestRow{.content_digest = record.content_digest(),
                    .response = record.response(),
                    .create_time = TimeOf(record.create_time())};
}

}  // namespace keyferry

// Rows of rows.h.
#include <algorithm>

#include "libs/common/status_macros.h"
#include "libs/storage/codec.h"
#include "libs/storage/record_io.h"

namespace keyferry {

std::string Encode(const OrganizationRow& row) {
  Scratch<storage::OrganizationRecord> scratch;
  auto& record = *scratch;
  record.set_uid(row.uid);
  record.set_display_name(row.display_name);
  FillTime(row.create_time, record.mutable_create_time());
  record.set_default_region(row.default_region);
  record.set_max_secret_sets(row.max_secret_sets);
  record.set_max_deployments(row.max_deployments);
  record.set_max_api_keys(row.max_api_keys);
  record.set_max_calls_per_second(row.max_calls_per_second);
  if (row.delete_time != absl::InfiniteFuture()) FillTime(row.delete_time, record.mutable_delete_time());
  return Serialize(record);
}

template <>
absl::StatusOr<OrganizationRow> Decode(std::string_view bytes) {
  Scratch<storage::OrganizationRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return OrganizationRow{.uid = record.uid(),
                         .display_name = record.display_name(),
                         .create_time = TimeOf(record.create_time()),
                         .default_region = record.default_region(),
                         .max_secret_sets = record.max_secret_sets(),
                         .max_deployments = record.max_deployments(),
                         .max_api_keys = record.max_api_keys(),
                         .max_calls_per_second = record.max_calls_per_second(),
                         .delete_time = record.has_delete_time() ? TimeOf(record.delete_time()) : absl::InfiniteFuture()};
}

namespace {

void Fill(const WrappedKey& key, storage::WrappedKeyRecord& record) {
  record.set_root_key_id(key.root_key_id);
  record.set_wrapped_key(key.wrapped_key);
  FillTime(key.create_time, record.mutable_create_time());
  record.set_number(key.number);
  for (const auto& [name, value] : key.annotations) (*record.mutable_annotations())[name] = value;
}

WrappedKey WrappedKeyOf(const storage::WrappedKeyRecord& record) {
  WrappedKey key{.number = std::max(record.number(), 1),
                 .root_key_id = record.root_key_id(),
                 .wrapped_key = record.wrapped_key(),
                 .create_time = TimeOf(record.create_time())};
  for (const auto& [name, value] : record.annotations()) key.annotations.emplace(name, value);
  return key;
}

}  // namespace

std::string Encode(const WrappedKeysRow& row) {
  Scratch<storage::WrappedKeyRecord> scratch;
  auto& record = *scratch;
  Fill(row.keys.back(), record);
  for (size_t i = 0; i + 1 < row.keys.size(); ++i) Fill(row.keys[i], *record.add_older());
  return Serialize(record);
}

template <>
absl::StatusOr<WrappedKeysRow> Decode(std::string_view bytes) {
  Scratch<storage::WrappedKeyRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  WrappedKeysRow row;
  for (const auto& older : record.older()) row.keys.push_back(WrappedKeyOf(older));
  row.keys.push_back(WrappedKeyOf(record));
  return row;
}

std::string Encode(const ApiKeyRow& row) {
  Scratch<storage::ApiKeyRecord> scratch;
  auto& record = *scratch;
  record.set_organization(row.organization);
  record.set_display_name(row.display_name);
  record.set_role(static_cast<int32_t>(row.role));
  record.set_secret_hmac(row.secret_hmac);
  record.set_pepper_id(row.pepper_id);
  record.set_author(row.author);
  FillTime(row.create_time, record.mutable_create_time());
  if (row.revoke_time != absl::InfiniteFuture()) FillTime(row.revoke_time, record.mutable_revoke_time());
  if (row.expire_time != absl::InfiniteFuture()) FillTime(row.expire_time, record.mutable_expire_time());
  if (row.last_use_time != absl::InfinitePast()) FillTime(row.last_use_time, record.mutable_last_use_time());
  record.set_replaced_by(row.replaced_by);
  record.set_replaces(row.replaces);
  return Serialize(record);
}

template <>
absl::StatusOr<ApiKeyRow> Decode(std::string_view bytes) {
  Scratch<storage::ApiKeyRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  ASSIGN_OR_RETURN(const Role role, EnumOf(record.role(), Role::kAdmin, Role::kViewer));
  return ApiKeyRow{.organization = record.organization(),
                   .display_name = record.display_name(),
                   .role = role,
                   .secret_hmac = record.secret_hmac(),
                   .pepper_id = record.pepper_id(),
                   .author = record.author(),
                   .create_time = TimeOf(record.create_time()),
                   .revoke_time = record.has_revoke_time() ? TimeOf(record.revoke_time()) : absl::InfiniteFuture(),
                   .expire_time = record.has_expire_time() ? TimeOf(record.expire_time()) : absl::InfiniteFuture(),
                   .last_use_time = record.has_last_use_time() ? TimeOf(record.last_use_time()) : absl::InfinitePast(),
                   .replaced_by = record.replaced_by(),
                   .replaces = record.replaces()};
}

std::string Encode(const RegionRow& row) {
  Scratch<storage::RegionRecord> scratch;
  auto& record = *scratch;
  record.set_display_name(row.display_name);
  record.set_sealing_key(row.sealing_key);
  record.set_blind(row.blind);
  FillTime(row.create_time, record.mutable_create_time());
  if (row.sealing_key_time != absl::InfinitePast()) FillTime(row.sealing_key_time, record.mutable_sealing_key_time());
  for (const std::string& key : row.previous_sealing_keys) record.add_previous_sealing_keys(key);
  return Serialize(record);
}

template <>
absl::StatusOr<RegionRow> Decode(std::string_view bytes) {
  Scratch<storage::RegionRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return RegionRow{.display_name = record.display_name(),
                   .sealing_key = record.sealing_key(),
                   .blind = record.blind(),
                   .create_time = TimeOf(record.create_time()),
                   .sealing_key_time = record.has_sealing_key_time() ? TimeOf(record.sealing_key_time()) : absl::InfinitePast(),
                   .previous_sealing_keys = {record.previous_sealing_keys().begin(), record.previous_sealing_keys().end()}};
}

std::string Encode(const RegionStateRow& row) {
  Scratch<storage::RegionStateRecord> scratch;
  auto& record = *scratch;
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
  Scratch<storage::RegionStateRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return RegionStateRow{.target_incarnation = record.target_incarnation(),
                        .epoch = record.epoch(),
                        .synced_incarnation = record.synced_incarnation(),
                        .synced_lineage = record.synced_lineage(),
                        .resync_requested = record.resync_requested(),
                        .allow_mass_delete = record.allow_mass_delete()};
}

std::string Encode(const RequestRow& row) {
  Scratch<storage::RequestRecord> scratch;
  auto& record = *scratch;
  record.set_content_digest(row.content_digest);
  record.set_response(row.response);
  FillTime(row.create_time, record.mutable_create_time());
  return Serialize(record);
}

template <>
absl::StatusOr<RequestRow> Decode(std::string_view bytes) {
  Scratch<storage::RequestRecord> scratch;
  auto& record = *scratch;
  RETURN_IF_ERROR(ParseTo(bytes, record));
  return RequestRow{.content_digest = record.content_digest(),
                    .response = record.response(),
                    .create_time = TimeOf(record.create_time())};
}

}  // namespace keyferry

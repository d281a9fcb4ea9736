#include "services/provisioner/region_rows.h"

#include <utility>

#include "keyferry/storage/records.pb.h"
#include "libs/common/status_macros.h"
#include "libs/model/object_hash.h"
#include "services/provisioner/row_frame.h"

namespace keyferry {
namespace {

constexpr size_t kIncarnationBytes = 16;
constexpr size_t kRevisionBytes = 8;

std::string TombstonesOf(uint64_t revision) {
  std::string key = kTombstonePrefix;
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(revision >> shift));
  return key;
}

absl::StatusOr<ObjectId> ParseObjectKey(std::string_view key) {
  const size_t separator = key.find('\0', 2);
  if (key.size() < 2 || separator == key.npos) return absl::DataLossError("a key is not an object's");
  const auto kind = static_cast<ObjectKind>(key[1]);
  if (kind != ObjectKind::kSecretSet && kind != ObjectKind::kDeployment) {
    return absl::DataLossError("unknown kind of object");
  }
  return ObjectId{.kind = kind,
                  .organization = std::string(key.substr(2, separator - 2)),
                  .name = std::string(key.substr(separator + 1))};
}

}  // namespace

void RowTotals::Add(std::string_view frame) {
  ++count;
  check_sum += RowCheck(frame);
}

void RowTotals::Remove(std::string_view frame) {
  --count;
  check_sum -= RowCheck(frame);
}

std::string ObjectKey(const ObjectId& id) { return std::string(kObjectPrefix).append(ObjectIdBytes(id)); }

std::string TombstoneKey(uint64_t revision, const ObjectId& id) { return TombstonesOf(revision) + ObjectIdBytes(id); }

std::string PastTombstones(uint64_t revision) {
  if (revision == UINT64_MAX) return std::string(1, kTombstonePrefix[0] + 1);
  return TombstonesOf(revision + 1);
}

std::string ObjectKeyOfTombstone(std::string_view tombstone_key) {
  return std::string(kObjectPrefix).append(tombstone_key.substr(1 + kRevisionBytes));
}

std::string EncodeObjectRow(const RegionObject& object) {
  storage::RegionObjectRecord record;
  record.set_uid(object.uid);
  record.set_revision(object.version.revision);
  record.set_operation(static_cast<int>(object.version.operation));
  record.set_sealed_object(object.sealed_object);
  record.set_digest(object.version.digest);
  return FrameRow(ObjectKey(object.id), record.SerializeAsString());
}

absl::StatusOr<RegionObject> DecodeObjectRow(std::string_view key, std::string_view frame) {
  ASSIGN_OR_RETURN(const std::string_view value, UnframeRow(key, frame));
  storage::RegionObjectRecord record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return absl::DataLossError("a row is no record");
  }
  const auto operation = static_cast<Operation>(record.operation());
  if (operation != Operation::kApply && operation != Operation::kDelete) {
    return absl::DataLossError("unknown operation");
  }
  ASSIGN_OR_RETURN(ObjectId id, ParseObjectKey(key));
  return RegionObject{
      .id = std::move(id),
      .uid = std::move(*record.mutable_uid()),
      .version = {.revision = record.revision(), .operation = operation, .digest = std::move(*record.mutable_digest())},
      .sealed_object = std::move(*record.mutable_sealed_object())};
}

std::string EncodeMetaRow(const MetaRow& row) {
  storage::RegionMetaRecord record;
  record.set_target_incarnation(row.meta.target_incarnation);
  record.set_max_revision_seen(row.meta.max_revision_seen);
  record.set_settled_floor(row.meta.settled_floor);
  record.set_region(row.region);
  record.set_row_count(row.totals.count);
  record.set_row_check_sum(row.totals.check_sum);
  return FrameRow(kMetaKey, record.SerializeAsString());
}

absl::StatusOr<MetaRow> DecodeMetaRow(std::string_view frame) {
  ASSIGN_OR_RETURN(const std::string_view value, UnframeRow(kMetaKey, frame));
  storage::RegionMetaRecord record;
  if (!record.ParseFromArray(value.data(), static_cast<int>(value.size())) ||
      record.target_incarnation().size() != kIncarnationBytes) {
    return absl::DataLossError("the meta row is no record");
  }
  return MetaRow{.meta = {.target_incarnation = record.target_incarnation(),
                          .max_revision_seen = record.max_revision_seen(),
                          .settled_floor = record.settled_floor()},
                 .region = record.region(),
                 .totals = {.count = record.row_count(), .check_sum = record.row_check_sum()}};
}

}  // namespace keyferry

// Rows of the region's store as bytes (docs/storage-format.md): "m", the meta row; "o" | object id, an object or a
// tombstone; "t" | revision (8 bytes, big-endian) | object id, an empty row for each tombstone. All but the last are
// framed (row_frame.h).
//
// Thread safety: pure functions.
#ifndef KEYFERRY_SERVICES_PROVISIONER_REGION_ROWS_H_
#define KEYFERRY_SERVICES_PROVISIONER_REGION_ROWS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/provisioner/region_store.h"

namespace keyferry {

inline constexpr char kMetaKey[] = "m";
inline constexpr char kObjectPrefix[] = "o";
inline constexpr char kTombstonePrefix[] = "t";

// What all object rows together add up to. RocksDB can lose a whole table without an error (one flipped bit in its
// MANIFEST does); then they no longer do.
struct RowTotals {
  uint64_t count = 0;
  uint64_t check_sum = 0;
  void Add(std::string_view frame);
  void Remove(std::string_view frame);
  friend bool operator==(const RowTotals&, const RowTotals&) = default;
};

struct MetaRow {
  RegionMeta meta;
  std::string region;
  RowTotals totals;
};

std::string ObjectKey(const ObjectId& id);
std::string TombstoneKey(uint64_t revision, const ObjectId& id);
// The first key after every tombstone of this revision.
std::string PastTombstones(uint64_t revision);
// The object's key.
std::string ObjectKeyOfTombstone(std::string_view tombstone_key);

// Decode answers DataLoss for a frame that fails its check or holds no such record.
std::string EncodeObjectRow(const RegionObject& object);
absl::StatusOr<RegionObject> DecodeObjectRow(std::string_view key, std::string_view frame);
std::string EncodeMetaRow(const MetaRow& row);
absl::StatusOr<MetaRow> DecodeMetaRow(std::string_view frame);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_REGION_ROWS_H_

// The frame around every value in RocksDB: version(1) | revision(8) | crc32c(4) | value, numbers big-endian. The
// checksum covers version, family, key, revision and value, so that damage and a row at another row's place are both
// seen.
//
// Thread safety: pure functions.
#ifndef KEYFERRY_STORAGE_ROW_FRAME_H_
#define KEYFERRY_STORAGE_ROW_FRAME_H_

#include <array>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/storage/store.h"

namespace keyferry {

inline constexpr size_t kRowFrameBytes = 13;

// What stands before the value.
using RowFrameHead = std::array<char, kRowFrameBytes>;
RowFrameHead FrameHeadOf(const RowKey& key, Revision revision, std::string_view value);

std::string FrameRow(const RowKey& key, Revision revision, std::string_view value);

// DataLoss, naming the row.
absl::StatusOr<Row> UnframeRow(const RowKey& key, std::string_view frame);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_ROW_FRAME_H_

// The frame around each row of the region's store: CRC32C (RFC 3720, little-endian) over key and value, then the value.
// The key is part of it, so that a value under another row's key is found too.
//
// Thread safety: pure functions.
#ifndef KEYFERRY_SERVICES_PROVISIONER_ROW_FRAME_H_
#define KEYFERRY_SERVICES_PROVISIONER_ROW_FRAME_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace keyferry {

uint32_t Crc32c(std::string_view bytes);

std::string FrameRow(std::string_view key, std::string_view value);
// The value, which points into `frame`. DataLoss when the check fails.
absl::StatusOr<std::string_view> UnframeRow(std::string_view key, std::string_view frame);
// The check of a frame that UnframeRow accepted.
uint32_t RowCheck(std::string_view frame);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_ROW_FRAME_H_

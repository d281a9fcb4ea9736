#include "libs/storage/row_frame.h"

#include "absl/strings/str_cat.h"
#include "libs/storage/big_endian.h"
#include "libs/storage/commit_rules.h"
#include "libs/storage/crc32c.h"

namespace keyferry {
namespace {

constexpr char kVersion = 1;
constexpr size_t kRevisionAt = 1, kChecksumAt = 9;

uint32_t Checksum(const RowKey& key, std::string_view version_and_revision, std::string_view value) {
  const char family = static_cast<char>(key.family);
  uint32_t crc = ExtendCrc32c(0, version_and_revision);
  crc = ExtendCrc32c(crc, std::string_view(&family, 1));
  crc = ExtendCrc32c(crc, key.bytes);
  return ExtendCrc32c(crc, value);
}

}  // namespace

std::string FrameRow(const RowKey& key, Revision revision, std::string_view value) {
  std::string frame;
  frame.reserve(kRowFrameBytes + value.size());
  frame.push_back(kVersion);
  AppendBigEndian64(frame, revision);
  const uint32_t checksum = Checksum(key, frame, value);
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(checksum >> shift));
  return frame.append(value);
}

absl::StatusOr<Row> UnframeRow(const RowKey& key, std::string_view frame) {
  uint32_t stored = 0;
  if (frame.size() >= kRowFrameBytes) {
    for (const char byte : frame.substr(kChecksumAt, 4)) stored = stored << 8 | static_cast<unsigned char>(byte);
  }
  if (frame.size() < kRowFrameBytes || frame[0] != kVersion ||
      stored != Checksum(key, frame.substr(0, kChecksumAt), frame.substr(kRowFrameBytes))) {
    return absl::DataLossError(
        absl::StrCat("row ", Printable(key), " is damaged: its checksum does not hold; restore a backup"));
  }
  return Row{.value = std::string(frame.substr(kRowFrameBytes)),
             .revision = ReadBigEndian64(frame.substr(kRevisionAt))};
}

}  // namespace keyferry

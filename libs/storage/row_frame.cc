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

RowFrameHead FrameHeadOf(const RowKey& key, Revision revision, std::string_view value) {
  RowFrameHead head;
  head[0] = kVersion;
  WriteBigEndian64(head.data() + kRevisionAt, revision);
  const uint32_t checksum = Checksum(key, std::string_view(head.data(), kChecksumAt), value);
  for (int i = 0; i < 4; ++i) head[kChecksumAt + i] = static_cast<char>(checksum >> (24 - 8 * i));
  return head;
}

std::string FrameRow(const RowKey& key, Revision revision, std::string_view value) {
  const RowFrameHead head = FrameHeadOf(key, revision, value);
  std::string frame;
  frame.reserve(head.size() + value.size());
  return frame.append(head.data(), head.size()).append(value);
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

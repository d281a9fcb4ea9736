// What all records share on their way to and from bytes. Included by codec_*.cc alone.
#ifndef KEYFERRY_STORAGE_RECORD_IO_H_
#define KEYFERRY_STORAGE_RECORD_IO_H_

#include <google/protobuf/arena.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "keyferry/storage/records.pb.h"

namespace keyferry {

// The first byte of every encoded value.
inline constexpr char kRecordFormatVersion = 1;
inline constexpr size_t kScratchBytes = 2048;
// The ends of google.protobuf.Timestamp stand for infinity.
inline constexpr int64_t kFirstSecond = -62135596800, kLastSecond = 253402300799;

// A message of a moment. Its parts lie in one block, where they fit, instead of in a block each.
template <typename Message>
class Scratch {
 public:
  Message& operator*() { return message_; }

 private:
  alignas(8) char block_[kScratchBytes];
  google::protobuf::Arena arena_{block_, sizeof(block_)};
  Message& message_ = *google::protobuf::Arena::CreateMessage<Message>(&arena_);
};

template <typename Message>
std::string Serialize(const Message& message) {
  std::string bytes(1, kRecordFormatVersion);
  message.AppendToString(&bytes);
  return bytes;
}

// DataLoss for bytes that are no such message, or of another format.
template <typename Message>
absl::Status ParseTo(std::string_view bytes, Message& message) {
  if (!bytes.empty() && bytes[0] == kRecordFormatVersion && message.ParseFromArray(bytes.data() + 1, static_cast<int>(bytes.size() - 1)))
    return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("a stored value is not a ", message.GetTypeName(),
                                          " of a format that this version reads; restore a backup"));
}

template <typename Message>
absl::StatusOr<Message> Parse(std::string_view bytes) {
  Message message;
  if (absl::Status parsed = ParseTo(bytes, message); !parsed.ok()) return parsed;
  return message;
}

inline void FillTime(absl::Time time, google::protobuf::Timestamp* out) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  if (seconds <= kFirstSecond || seconds >= kLastSecond) {
    out->set_seconds(seconds <= kFirstSecond ? kFirstSecond : kLastSecond);
    return;
  }
  out->set_seconds(seconds);
  out->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

inline absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  if (time.seconds() <= kFirstSecond) return absl::InfinitePast();
  if (time.seconds() >= kLastSecond) return absl::InfiniteFuture();
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

// DataLoss for a number outside first..last.
template <typename Enum>
absl::StatusOr<Enum> EnumOf(int32_t number, Enum first, Enum last) {
  if (number < static_cast<int32_t>(first) || number > static_cast<int32_t>(last)) {
    return absl::DataLossError(absl::StrCat("a stored value holds the number ", number, ", which names nothing here"));
  }
  return static_cast<Enum>(number);
}

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_RECORD_IO_H_

#include "services/provisioner/row_frame.h"

#include <array>
#include <cstring>

namespace keyferry {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // Castagnoli, reflected
constexpr size_t kCheckBytes = 4;

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ (remainder & 1 ? kPolynomial : 0);
    table[byte] = remainder;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

uint32_t ExtendByTable(uint32_t state, std::string_view bytes) {
  for (const char byte : bytes) state = kTable[(state ^ static_cast<uint8_t>(byte)) & 0xff] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t ExtendByInstruction(uint32_t state, std::string_view bytes) {
  uint64_t wide = state;
  for (; bytes.size() >= sizeof(uint64_t); bytes.remove_prefix(sizeof(uint64_t))) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof(word));
    wide = __builtin_ia32_crc32di(wide, word);
  }
  return ExtendByTable(static_cast<uint32_t>(wide), bytes);
}
#endif

uint32_t Extend(uint32_t state, std::string_view bytes) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return ExtendByInstruction(state, bytes);
#endif
  return ExtendByTable(state, bytes);
}

std::string CheckOf(std::string_view key, std::string_view value) {
  const uint32_t crc = ~Extend(Extend(~0u, key), value);
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(crc >> shift));
  return bytes;
}

}  // namespace

uint32_t Crc32c(std::string_view bytes) { return ~Extend(~0u, bytes); }

std::string FrameRow(std::string_view key, std::string_view value) { return CheckOf(key, value).append(value); }

absl::StatusOr<std::string_view> UnframeRow(std::string_view key, std::string_view frame) {
  if (frame.size() < kCheckBytes) return absl::DataLossError("a row is shorter than its check");
  const std::string_view value = frame.substr(kCheckBytes);
  if (CheckOf(key, value) != frame.substr(0, kCheckBytes))
    return absl::DataLossError("the check of a row does not match");
  return value;
}

uint32_t RowCheck(std::string_view frame) {
  uint32_t check = 0;
  for (size_t i = 0; i < kCheckBytes; ++i) check |= static_cast<uint32_t>(static_cast<uint8_t>(frame[i])) << 8 * i;
  return check;
}

}  // namespace keyferry

#include <algorithm>
#include <array>
#include <cstdint>

#include "libs/crypto/aead.h"
#include "services/api/api_keys.h"

namespace keyferry {
namespace {

constexpr std::string_view kBase62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kSecretOffset = kApiKeyPrefix.size() + kApiKeyIdLength + 1;
constexpr size_t kChecksumOffset = kSecretOffset + kApiKeySecretLength;
constexpr size_t kLength = kChecksumOffset + kApiKeyChecksumLength;
// Largest multiple of 62 in a byte: bytes from here on would favour some characters.
constexpr unsigned char kUnbiased = 248;

constexpr std::array<bool, 256> kIsBase62 = [] {
  std::array<bool, 256> is{};
  for (const char c : kBase62) is[static_cast<unsigned char>(c)] = true;
  return is;
}();

bool IsBase62(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return kIsBase62[static_cast<unsigned char>(c)]; });
}

// CRC-32 of ISO-HDLC, as in zip and Ethernet.
uint32_t Crc32(std::string_view bytes) {
  static constexpr auto kSteps = [] {
    std::array<uint32_t, 256> steps{};
    for (uint32_t i = 0; i < steps.size(); ++i) {
      uint32_t step = i;
      for (int bit = 0; bit < 8; ++bit) step = (step >> 1) ^ ((step & 1) != 0 ? 0xEDB88320U : 0U);
      steps[i] = step;
    }
    return steps;
  }();
  uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = kSteps[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::array<char, kApiKeyChecksumLength> Checksum(std::string_view body) {
  std::array<char, kApiKeyChecksumLength> text{};
  uint32_t rest = Crc32(body);
  for (auto c = text.rbegin(); c != text.rend(); ++c) {
    *c = kBase62[rest % kBase62.size()];
    rest /= kBase62.size();
  }
  return text;
}

void FillBase62(std::span<uint8_t> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    std::string random = RandomBytes(out.size());
    for (const char c : random) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < kUnbiased && filled < out.size()) out[filled++] = static_cast<uint8_t>(kBase62[byte % kBase62.size()]);
    }
    Wipe(random);
  }
}

}  // namespace

bool IsApiKeyId(std::string_view text) { return text.size() == kApiKeyIdLength && IsBase62(text); }

std::optional<ParsedApiKey> ParseApiKey(std::string_view text, std::string_view prefix) {
  if (text.size() != kLength || !text.starts_with(prefix) || text[kSecretOffset - 1] != '_') return std::nullopt;
  const ParsedApiKey key{.id = text.substr(prefix.size(), kApiKeyIdLength),
                         .secret = text.substr(kSecretOffset, kApiKeySecretLength)};
  if (!IsBase62(key.id) || !IsBase62(key.secret)) return std::nullopt;
  const auto checksum = Checksum(text.substr(0, kChecksumOffset));
  if (text.substr(kChecksumOffset) != std::string_view(checksum.data(), checksum.size())) return std::nullopt;
  return key;
}

SecretBytes GenerateApiKey(std::string_view prefix) {
  SecretBytes key(kLength);
  const std::span<uint8_t> out = key.AccessMutable();
  std::copy(prefix.begin(), prefix.end(), out.begin());
  FillBase62(out.subspan(prefix.size(), kApiKeyIdLength));
  out[kSecretOffset - 1] = '_';
  FillBase62(out.subspan(kSecretOffset, kApiKeySecretLength));
  const auto checksum = Checksum(key.Access().substr(0, kChecksumOffset));
  std::copy(checksum.begin(), checksum.end(), out.begin() + kChecksumOffset);
  return key;
}

}  // namespace keyferry

// Numbers in keys and frames: 8 bytes, most significant first, so that bytes sort as numbers do.
#ifndef KEYFERRY_STORAGE_BIG_ENDIAN_H_
#define KEYFERRY_STORAGE_BIG_ENDIAN_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace keyferry {

inline void WriteBigEndian64(char* out, uint64_t number) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(number >> (56 - 8 * i));
}

inline void AppendBigEndian64(std::string& out, uint64_t number) {
  char bytes[8];
  WriteBigEndian64(bytes, number);
  out.append(bytes, 8);
}

// REQUIRES: at least 8 bytes.
inline uint64_t ReadBigEndian64(std::string_view bytes) {
  uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_BIG_ENDIAN_H_

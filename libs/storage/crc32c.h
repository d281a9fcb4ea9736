// CRC-32C (Castagnoli; RFC 3720 B.4): finds damage, proves nothing about intent.
//
// Thread safety: pure function.
#ifndef KEYFERRY_STORAGE_CRC32C_H_
#define KEYFERRY_STORAGE_CRC32C_H_

#include <cstdint>
#include <string_view>

namespace keyferry {

// Of the bytes that gave `crc` followed by these; 0 to begin with.
uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes);

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_CRC32C_H_

// Hashes over object ids that both ends of the provisioning stream compute (docs/provisioning-protocol.md, section "Hashes").
//
// Thread safety: pure functions.
#ifndef KEYFERRY_MODEL_OBJECT_HASH_H_
#define KEYFERRY_MODEL_OBJECT_HASH_H_

#include <cstdint>
#include <string>

#include "libs/model/placement.h"

namespace keyferry {

inline constexpr int kInventoryBuckets = 256;

// kind (one byte) | organization | NUL | name.
std::string ObjectIdBytes(const ObjectId& object);
// First byte of SHA-256 of the id's bytes.
int InventoryBucket(const ObjectId& object);
// First 8 bytes, big-endian, of SHA-256 of the id's bytes. A full resync's hash is their sum modulo 2^64.
uint64_t ObjectHash(const ObjectId& object);
// The same over id bytes | revision (8 bytes, big-endian). A bucket's hash is their sum modulo 2^64.
uint64_t ObjectRevisionHash(const ObjectId& object, uint64_t revision);

}  // namespace keyferry

#endif  // KEYFERRY_MODEL_OBJECT_HASH_H_

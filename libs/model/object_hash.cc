#include "libs/model/object_hash.h"

#include <string_view>

#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

uint64_t FirstEightBytes(std::string_view hash) {
  uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = (number << 8) | static_cast<uint8_t>(hash[i]);
  return number;
}

}  // namespace

std::string ObjectIdBytes(const ObjectId& object) {
  std::string bytes(1, static_cast<char>(object.kind));
  return bytes.append(object.organization).append(1, '\0').append(object.name);
}

int InventoryBucket(const ObjectId& object) { return static_cast<uint8_t>(Sha256(ObjectIdBytes(object))[0]); }

uint64_t ObjectHash(const ObjectId& object) { return FirstEightBytes(Sha256(ObjectIdBytes(object))); }

uint64_t ObjectRevisionHash(const ObjectId& object, uint64_t revision) {
  std::string bytes = ObjectIdBytes(object);
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(revision >> shift));
  return FirstEightBytes(Sha256(bytes));
}

}  // namespace keyferry

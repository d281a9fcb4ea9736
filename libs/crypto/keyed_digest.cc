#include "libs/crypto/keyed_digest.h"

#include <sodium.h>

namespace keyferry {

static_assert(std::tuple_size<KeyedDigest::Bytes>() == crypto_generichash_BYTES);

KeyedDigest::KeyedDigest() : key_(SecretBytes::Random(crypto_generichash_KEYBYTES)) {}

KeyedDigest::Bytes KeyedDigest::Of(std::string_view text) const {
  Bytes digest;
  const std::string_view key = key_.Access();
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                     reinterpret_cast<const unsigned char*>(key.data()), key.size());
  return digest;
}

bool KeyedDigest::Equal(const Bytes& a, const Bytes& b) { return sodium_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace keyferry

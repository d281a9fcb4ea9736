// KeyedDigest: tells whether two short texts are the same without keeping either: BLAKE2b under a random key that lives and dies with the object. A
// fifth of the price of an HMAC-SHA256, and of no use to anybody outside the process, so that it never stands in a row or on a wire.
//
// Thread safety: immutable.
#ifndef KEYFERRY_CRYPTO_KEYED_DIGEST_H_
#define KEYFERRY_CRYPTO_KEYED_DIGEST_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "libs/crypto/secret_bytes.h"

namespace keyferry {

class KeyedDigest {
 public:
  using Bytes = std::array<uint8_t, 32>;

  KeyedDigest();
  Bytes Of(std::string_view text) const;
  // In constant time.
  static bool Equal(const Bytes& a, const Bytes& b);

 private:
  const SecretBytes key_;
};

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_KEYED_DIGEST_H_

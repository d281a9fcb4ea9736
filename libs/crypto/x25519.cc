#include "libs/crypto/x25519.h"

#include <sodium.h>

#include "libs/crypto/check.h"

namespace keyferry {
namespace {

static_assert(kX25519Bytes == crypto_scalarmult_BYTES && kX25519Bytes == crypto_scalarmult_SCALARBYTES);

const uint8_t* Bytes(std::string_view s) { return reinterpret_cast<const uint8_t*>(s.data()); }

void CheckPrivate(const SecretBytes& private_key) {
  Check(private_key.size() == kX25519Bytes, "an X25519 private key has 32 bytes");
}

}  // namespace

std::string X25519PublicKey(const SecretBytes& private_key) {
  CheckPrivate(private_key);
  std::string public_key(kX25519Bytes, '\0');
  crypto_scalarmult_base(reinterpret_cast<uint8_t*>(public_key.data()), Bytes(private_key.Access()));
  return public_key;
}

std::optional<SecretBytes> X25519SharedSecret(const SecretBytes& private_key, std::string_view public_key) {
  CheckPrivate(private_key);
  if (public_key.size() != kX25519Bytes) return std::nullopt;
  SecretBytes shared(kX25519Bytes);
  if (crypto_scalarmult(shared.AccessMutable().data(), Bytes(private_key.Access()), Bytes(public_key)) != 0)
    return std::nullopt;
  return shared;
}

}  // namespace keyferry

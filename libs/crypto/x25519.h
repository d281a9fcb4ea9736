// X25519 (RFC 7748), bare. Only sealed_box.cc and its tests use it.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_CRYPTO_X25519_H_
#define KEYFERRY_CRYPTO_X25519_H_

#include <optional>
#include <string>
#include <string_view>

#include "libs/crypto/secret_bytes.h"

namespace keyferry {

inline constexpr size_t kX25519Bytes = 32;

// Of a private key of 32 bytes (CHECK).
std::string X25519PublicKey(const SecretBytes& private_key);

// The shared secret. Private key of 32 bytes (CHECK). nullopt when the public key has another size or a low order: then
// everybody knows the shared secret, zero.
std::optional<SecretBytes> X25519SharedSecret(const SecretBytes& private_key, std::string_view public_key);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_X25519_H_

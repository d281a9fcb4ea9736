// Ed25519 (RFC 8032), detached: who holds the seed says something, everybody can check it.
//
// Thread safety: free functions; a SigningKey is immutable.
#ifndef KEYFERRY_CRYPTO_SIGNATURE_H_
#define KEYFERRY_CRYPTO_SIGNATURE_H_

#include <string>
#include <string_view>

#include "libs/crypto/secret_bytes.h"

namespace keyferry {

inline constexpr size_t kSigningSeedBytes = 32;
inline constexpr size_t kVerifyKeyBytes = 32;
inline constexpr size_t kSignatureBytes = 64;

class SigningKey {
 public:
  // The same seed gives the same key. Of kSigningSeedBytes (CHECK).
  static SigningKey FromSeed(const SecretBytes& seed);

  const std::string& public_key() const { return public_key_; }
  std::string Sign(std::string_view message) const;

 private:
  SigningKey() = default;
  SecretBytes secret_key_;
  std::string public_key_;
};

// False for a key or a signature of another size, too.
bool IsSignedBy(std::string_view public_key, std::string_view message, std::string_view signature);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_SIGNATURE_H_

#include "libs/crypto/signature.h"

#include <sodium.h>

#include "libs/crypto/check.h"

namespace keyferry {
namespace {

static_assert(kSigningSeedBytes == crypto_sign_SEEDBYTES && kVerifyKeyBytes == crypto_sign_PUBLICKEYBYTES &&
              kSignatureBytes == crypto_sign_BYTES);

const uint8_t* Bytes(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }
uint8_t* Bytes(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }

}  // namespace

SigningKey SigningKey::FromSeed(const SecretBytes& seed) {
  Check(seed.size() == kSigningSeedBytes, "the seed of a signing key has 32 bytes");
  SigningKey key;
  key.secret_key_ = SecretBytes(crypto_sign_SECRETKEYBYTES);
  key.public_key_.resize(kVerifyKeyBytes);
  crypto_sign_seed_keypair(Bytes(key.public_key_), key.secret_key_.AccessMutable().data(), Bytes(seed.Access()));
  return key;
}

std::string SigningKey::Sign(std::string_view message) const {
  std::string signature(kSignatureBytes, '\0');
  crypto_sign_detached(Bytes(signature), nullptr, Bytes(message), message.size(), Bytes(secret_key_.Access()));
  return signature;
}

bool IsSignedBy(std::string_view public_key, std::string_view message, std::string_view signature) {
  return public_key.size() == kVerifyKeyBytes && signature.size() == kSignatureBytes &&
         crypto_sign_verify_detached(Bytes(signature), Bytes(message), message.size(), Bytes(public_key)) == 0;
}

}  // namespace keyferry

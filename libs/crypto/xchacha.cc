#include "libs/crypto/xchacha.h"

#include <sodium.h>

#include "libs/crypto/aead.h"
#include "libs/crypto/check.h"

namespace keyferry {
namespace {

static_assert(kKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(kNonceBytes == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kTagBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);

const uint8_t* Bytes(std::string_view s) { return reinterpret_cast<const uint8_t*>(s.data()); }

}  // namespace

void SealXChaCha(std::string& out, const SecretBytes& key, std::string_view nonce, std::string_view plaintext,
                 std::string_view associated_data) {
  Check(key.size() == kKeyBytes && nonce.size() == kNonceBytes,
        "XChaCha20-Poly1305 takes a key of 32 bytes and a nonce of 24");
  const size_t start = out.size();
  out.resize(start + plaintext.size() + kTagBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<uint8_t*>(out.data()) + start, nullptr, Bytes(plaintext),
                                             plaintext.size(), Bytes(associated_data), associated_data.size(), nullptr,
                                             Bytes(nonce), Bytes(key.Access()));
}

std::optional<SecretBytes> OpenXChaCha(const SecretBytes& key, std::string_view nonce,
                                       std::string_view ciphertext_and_tag, std::string_view associated_data) {
  if (key.size() != kKeyBytes || nonce.size() != kNonceBytes || ciphertext_and_tag.size() < kTagBytes)
    return std::nullopt;
  SecretBytes plaintext(ciphertext_and_tag.size() - kTagBytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          plaintext.AccessMutable().data(), nullptr, nullptr, Bytes(ciphertext_and_tag), ciphertext_and_tag.size(),
          Bytes(associated_data), associated_data.size(), Bytes(nonce), Bytes(key.Access())) != 0) {
    return std::nullopt;
  }
  return plaintext;
}

}  // namespace keyferry

// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), bare: no key commitment. Only aead.cc and its tests use it.
//
// Thread safety: all functions from any thread.
#ifndef KEYFERRY_CRYPTO_XCHACHA_H_
#define KEYFERRY_CRYPTO_XCHACHA_H_

#include <optional>
#include <string>
#include <string_view>

#include "libs/crypto/secret_bytes.h"

namespace keyferry {

// Appends ciphertext and tag to `out`. Key of 32 bytes, nonce of 24 that was never used with this key (CHECK sizes).
void SealXChaCha(std::string& out, const SecretBytes& key, std::string_view nonce, std::string_view plaintext,
                 std::string_view associated_data);

// nullopt when the tag does not fit, or nonce or ciphertext are too short to have come from Seal.
std::optional<SecretBytes> OpenXChaCha(const SecretBytes& key, std::string_view nonce,
                                       std::string_view ciphertext_and_tag, std::string_view associated_data);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_XCHACHA_H_

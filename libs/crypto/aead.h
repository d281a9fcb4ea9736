// Suite 1: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with random nonces and key commitment. HKDF-SHA256 (RFC 5869) of the key
// with a random salt gives the encryption key and a commitment; the commitment is compared, in constant time, before
// anything is opened, so that no ciphertext opens under two keys. docs/storage-format.md has the bytes.
//
// Thread safety: all functions and const methods may be called from any thread.
#ifndef KEYFERRY_CRYPTO_AEAD_H_
#define KEYFERRY_CRYPTO_AEAD_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

inline constexpr size_t kKeyBytes = 32;
inline constexpr size_t kSaltBytes = 32;
inline constexpr size_t kCommitmentBytes = 32;
inline constexpr size_t kNonceBytes = 24;
inline constexpr size_t kTagBytes = 16;
inline constexpr uint8_t kFormatVersion = 1;
inline constexpr uint8_t kSuiteXChaCha = 1;
// version | suite | salt | commitment | nonce, then ciphertext and tag.
inline constexpr size_t kFrameOverheadBytes = 2 + kSaltBytes + kCommitmentBytes + kNonceBytes + kTagBytes;

// DataLoss with the same words for every cause, so that an answer does not tell an attacker how far a forgery got.
absl::Status DoesNotOpen();

// A key that was expanded with one salt. Seals any number of values; each gets a random nonce.
class CommittedKey {
 public:
  // A new salt. The key must be kKeyBytes long (CHECK).
  static CommittedKey Create(const SecretBytes& key);
  // DataLoss when the commitment is not this key's, or sizes are wrong.
  static absl::StatusOr<CommittedKey> Open(const SecretBytes& key, std::string_view salt, std::string_view commitment);
  // Without comparing a commitment: for those who choose the salt, or compare it themselves. `purpose` separates domains.
  // The key must be kKeyBytes long (CHECK).
  static CommittedKey Expand(const SecretBytes& key, std::string_view salt, std::string_view purpose);

  // nonce | ciphertext | tag.
  std::string Seal(std::string_view plaintext, std::string_view associated_data) const;
  // DataLoss, with the same words whatever is wrong.
  absl::StatusOr<SecretBytes> Open(std::string_view sealed, std::string_view associated_data) const;
  // As Seal, appended to `out`, with a nonce (kNonceBytes) that the caller drew at random for this call alone.
  void SealTo(std::string& out, std::string_view nonce, std::string_view plaintext, std::string_view associated_data) const;

  const std::string& salt() const { return salt_; }
  const std::string& commitment() const { return commitment_; }

 private:
  CommittedKey() = default;
  SecretBytes encryption_key_;
  std::string salt_;
  std::string commitment_;
};

// One self-contained frame: a fresh CommittedKey and what it sealed.
std::string SealFrame(const SecretBytes& key, std::string_view plaintext, std::string_view associated_data);
absl::StatusOr<SecretBytes> OpenFrame(const SecretBytes& key, std::string_view frame, std::string_view associated_data);

// Associated data: each part as length (4 bytes, big-endian) and bytes, so that no two lists give the same bytes.
std::string JoinParts(std::initializer_list<std::string_view> parts);

// RFC 5869. 1 to 255 * 32 bytes.
SecretBytes HkdfSha256(std::string_view input_key, std::string_view salt, std::string_view info, size_t size);
std::string HmacSha256(const SecretBytes& key, std::string_view message);
std::string Sha256(std::string_view message);
std::string RandomBytes(size_t size);
bool EqualInConstantTime(std::string_view a, std::string_view b);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_AEAD_H_

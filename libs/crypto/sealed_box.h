// A data key sealed to an X25519 public key (RFC 7748): key agreement with an ephemeral key pair, HKDF-SHA256 over the shared
// secret and both public keys, then suite 1. The context's SHA-256 travels inside and is the associated data too.
//
// Thread safety: all methods from any thread; moving a RegionKey is not one of them.
#ifndef KEYFERRY_CRYPTO_SEALED_BOX_H_
#define KEYFERRY_CRYPTO_SEALED_BOX_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

inline constexpr size_t kSealingKeyBytes = 32;
inline constexpr size_t kSealingKeyIdBytes = 16;

// First 16 bytes of SHA-256 of the public key.
std::string SealingKeyId(std::string_view public_key);

// A sender's ephemeral keys whose agreement one region key remembers, at most; what it derived is zeroed when it goes.
inline constexpr size_t kMaxAgreedSenders = 64;

// The region's private key. A sender seals many boxes under one ephemeral key: what was agreed with it is remembered while the
// RegionKey lives, so that not every box pays a key agreement (docs/adr/2026-11-23-agreed-box-keys.md).
class RegionKey {
 public:
  static RegionKey Generate();
  // InvalidArgument unless 32 bytes.
  static absl::StatusOr<RegionKey> FromPrivate(SecretBytes private_key);
  const std::string& public_key() const { return public_key_; }
  const std::string& id() const { return id_; }
  const SecretBytes& private_key() const { return private_key_; }
  size_t agreed_sender_count() const;
  // DataLoss when the box was not sealed to this key in this context.
  absl::StatusOr<SecretBytes> OpenBox(std::string_view box, std::string_view context) const;

 private:
  class AgreedKeys;
  SecretBytes private_key_;
  std::string public_key_;
  std::string id_;
  std::shared_ptr<AgreedKeys> agreed_;
};

// Seals to regions. An ephemeral key pair serves one region for at most 60 s, so that not every write pays a key agreement.
class SealedBoxSender {
 public:
  // The clock outlives the sender.
  static std::unique_ptr<SealedBoxSender> Create(const Clock& clock);
  virtual ~SealedBoxSender() = default;
  // InvalidArgument when the public key is not 32 bytes or has low order.
  virtual absl::StatusOr<std::string> Seal(std::string_view public_key, const SecretBytes& data_key, std::string_view context) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_SEALED_BOX_H_

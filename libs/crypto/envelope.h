// The seal: values of one write under a fresh data key. The associated data of each value binds organization uid, set uid, key
// name, data key id, suite and format version; the data key's boxes bind organization uid, set uid and data key id. Merging never opens
// an old value: an entry names its data key.
//
// Thread safety: DataKey is confined to one thread; the free functions are safe anywhere.
#ifndef KEYFERRY_CRYPTO_ENVELOPE_H_
#define KEYFERRY_CRYPTO_ENVELOPE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/crypto/aead.h"
#include "libs/crypto/sealed_box.h"
#include "libs/crypto/secret_bytes.h"

namespace keyferry {

inline constexpr size_t kDataKeyIdBytes = 16;

// Whose values these are.
struct SealContext {
  std::string organization_uid;
  std::string set_uid;
};

// A data key as the region receives it.
struct SealedDataKey {
  std::string id;
  std::string salt;
  std::string commitment;
  std::string region_box;
  friend bool operator==(const SealedDataKey&, const SealedDataKey&) = default;
};

struct SealedEntry {
  std::string key;
  std::string data_key_id;
  std::string ciphertext;
  friend bool operator==(const SealedEntry&, const SealedEntry&) = default;
};

// One write's data key; no later write uses it.
class DataKey {
 public:
  static DataKey Create(SealContext context);
  SealedEntry Seal(std::string_view key, const SecretBytes& value) const;
  // InvalidArgument: the region's public key is unusable.
  absl::StatusOr<SealedDataKey> SealToRegion(SealedBoxSender& sender, std::string_view region_public_key) const;
  // For escrow: a frame under the organization's escrow key.
  std::string Wrap(const SecretBytes& escrow_key) const;
  const std::string& id() const { return id_; }

 private:
  DataKey(SealContext context, SecretBytes key);
  SealContext context_;
  std::string id_;
  SecretBytes key_;
  CommittedKey committed_;
};

// The region's side. DataLoss when anything does not fit.
class OpenedDataKey {
 public:
  static absl::StatusOr<OpenedDataKey> Open(const RegionKey& region_key, const SealContext& context, const SealedDataKey& sealed);
  absl::StatusOr<SecretBytes> Open(const SealedEntry& entry) const;
  const std::string& id() const { return id_; }

 private:
  OpenedDataKey(SealContext context, std::string id, CommittedKey key);
  SealContext context_;
  std::string id_;
  CommittedKey key_;
};

// What DataKey::Wrap gives, of a data key that was unwrapped before.
std::string WrapDataKey(const SecretBytes& escrow_key, const SealContext& context, std::string_view data_key_id, const SecretBytes& data_key);
// Escrow's side: the data key out of Wrap's frame, to be opened with CommittedKey or sealed again.
absl::StatusOr<SecretBytes> UnwrapDataKey(const SecretBytes& escrow_key, const SealContext& context, std::string_view data_key_id,
                                          std::string_view wrapped);

}  // namespace keyferry

#endif  // KEYFERRY_CRYPTO_ENVELOPE_H_

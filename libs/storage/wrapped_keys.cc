#include "libs/storage/wrapped_keys.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"

namespace keyferry {
namespace {

std::string WrapContext(std::string_view owner, int number) {
  if (number == 1) return JoinParts({"keyferry/kek/v1", owner});
  return JoinParts({"keyferry/kek/v2", owner, absl::StrCat(number)});
}

size_t SizeOf(int number) { return number == 1 ? kKeyBytes : 2 * kKeyBytes; }

absl::StatusOr<SecretBytes> Unwrap(RootKeys& root_keys, std::string_view owner, const WrappedKey& key) {
  ASSIGN_OR_RETURN(
      SecretBytes bytes,
      root_keys.Unwrap({.root_key_id = key.root_key_id, .bytes = key.wrapped_key, .annotations = key.annotations},
                       WrapContext(owner, key.number)));
  if (bytes.size() != SizeOf(key.number)) return DoesNotOpen();
  return bytes;
}

absl::StatusOr<WrappedKey> Wrap(RootKeys& root_keys, std::string_view owner, int number, absl::Time create_time,
                                const SecretBytes& bytes) {
  ASSIGN_OR_RETURN(RootWrapped wrapped, root_keys.Wrap(bytes, WrapContext(owner, number)));
  return WrappedKey{.number = number,
                    .root_key_id = std::move(wrapped.root_key_id),
                    .wrapped_key = std::move(wrapped.bytes),
                    .annotations = std::move(wrapped.annotations),
                    .create_time = create_time};
}

SecretBytes Derive(std::string_view key, std::string_view purpose) {
  return HkdfSha256(key, /*salt=*/"", purpose, kKeyBytes);
}

}  // namespace

absl::StatusOr<OrganizationKeys> UnwrapKeys(RootKeys& root_keys, std::string_view owner, const WrappedKeysRow& row) {
  OrganizationKeys keys;
  for (const WrappedKey& wrapped : row.keys) {
    ASSIGN_OR_RETURN(const SecretBytes bytes, Unwrap(root_keys, owner, wrapped));
    const std::string_view key = bytes.Access().substr(0, kKeyBytes);
    keys.derived.push_back({.number = wrapped.number,
                            .barrier = Derive(key, "keyferry/barrier/v1"),
                            .escrow = Derive(key, "keyferry/escrow/v1")});
    keys.fingerprint = wrapped.number == 1 ? Derive(key, "keyferry/fingerprint/v1")
                                           : SecretBytes::Copy(bytes.Access().substr(kKeyBytes));
  }
  return keys;
}

absl::StatusOr<WrappedKeysRow> NewWrappedKeys(RootKeys& root_keys, std::string_view owner, absl::Time now) {
  WrappedKeysRow row;
  ASSIGN_OR_RETURN(WrappedKey key, Wrap(root_keys, owner, /*number=*/1, now, SecretBytes::Random(kKeyBytes)));
  row.keys.push_back(std::move(key));
  return row;
}

absl::Status AppendKey(RootKeys& root_keys, std::string_view owner, const SecretBytes& fingerprint, absl::Time now,
                       WrappedKeysRow& row) {
  const SecretBytes fresh = SecretBytes::Random(kKeyBytes);
  SecretBytes both = SecretBytes::Take(std::string(fresh.Access()) + std::string(fingerprint.Access()));
  ASSIGN_OR_RETURN(WrappedKey key, Wrap(root_keys, owner, row.keys.back().number + 1, now, both));
  row.keys.push_back(std::move(key));
  return absl::OkStatus();
}

absl::StatusOr<bool> WrapAnew(RootKeys& root_keys, std::string_view owner, WrappedKeysRow& row) {
  ASSIGN_OR_RETURN(const std::string current, root_keys.CurrentId());
  bool changed = false;
  for (WrappedKey& key : row.keys) {
    if (key.root_key_id == current) continue;
    ASSIGN_OR_RETURN(const SecretBytes bytes, Unwrap(root_keys, owner, key));
    ASSIGN_OR_RETURN(key, Wrap(root_keys, owner, key.number, key.create_time, bytes));
    changed = true;
  }
  return changed;
}

}  // namespace keyferry

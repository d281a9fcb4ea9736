#include "libs/storage/barrier_keys.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/aead.h"
#include "libs/storage/codec.h"
#include "libs/storage/keys.h"

namespace keyferry {
namespace {

std::string Describe(std::string_view owner) {
  return owner.empty() ? "the system's key" : absl::StrCat("the key of organization ", std::string(owner));
}

std::string WrapContext(std::string_view owner, std::string_view root_key_id) {
  return JoinParts({"keyferry/kek/v1", owner, root_key_id});
}

SecretBytes Derive(const SecretBytes& key, std::string_view purpose) {
  return HkdfSha256(key.Access(), /*salt=*/"", purpose, kKeyBytes);
}

}  // namespace

BarrierKeys::BarrierKeys(Store& store, const Keyring& keyring, const Clock& clock)
    : store_(store), keyring_(keyring), clock_(clock), owners_(kMaxOrganizationKeysCached) {}

absl::StatusOr<std::shared_ptr<BarrierKeys::Owner>> BarrierKeys::OwnerOf(std::string_view owner) {
  {
    absl::MutexLock lock(&mutex_);
    if (const auto* known = owners_.Find(owner)) return *known;
  }
  ASSIGN_OR_RETURN(std::shared_ptr<Owner> loaded, Load(owner));
  absl::MutexLock lock(&mutex_);
  // Another thread may have been first; its sealer is the one that others share.
  if (const auto* known = owners_.Find(owner)) return *known;
  owners_.Insert(owner, loaded);
  return loaded;
}

absl::StatusOr<std::shared_ptr<BarrierKeys::Owner>> BarrierKeys::Load(std::string_view owner) const {
  ASSIGN_OR_RETURN(const std::optional<Row> row, store_.Get(keys::WrappedKey(owner)));
  if (!row) return absl::NotFoundError(absl::StrCat(Describe(owner), " does not exist"));
  ASSIGN_OR_RETURN(const WrappedKeyRow wrapped, Decode<WrappedKeyRow>(row->value));
  const auto root = keyring_.Find(KeyPurpose::kRoot, wrapped.root_key_id);
  if (!root.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(Describe(owner), " is wrapped by root key ", wrapped.root_key_id,
                     ", which the keyring does not hold; start with the keyring that this "
                     "store was written under"));
  }
  const auto key = OpenFrame(*root->bytes, wrapped.wrapped_key, WrapContext(owner, wrapped.root_key_id));
  if (!key.ok() || key->size() != kKeyBytes) {
    return absl::DataLossError(absl::StrCat(Describe(owner), " does not unwrap; restore a backup"));
  }
  return std::make_shared<Owner>(OrganizationKeys{.barrier = Derive(*key, "keyferry/barrier/v1"),
                                                  .escrow = Derive(*key, "keyferry/escrow/v1"),
                                                  .fingerprint = Derive(*key, "keyferry/fingerprint/v1")},
                                 clock_);
}

absl::StatusOr<Mutation> BarrierKeys::NewKey(std::string_view owner) const {
  ASSIGN_OR_RETURN(const Keyring::Key root, keyring_.Current(KeyPurpose::kRoot));
  const SecretBytes key = SecretBytes::Random(kKeyBytes);
  const WrappedKeyRow row{.root_key_id = root.id,
                          .wrapped_key = SealFrame(*root.bytes, key.Access(), WrapContext(owner, root.id)),
                          .create_time = clock_.Now()};
  return Mutation{.key = keys::WrappedKey(owner), .value = Encode(row)};
}

}  // namespace keyferry

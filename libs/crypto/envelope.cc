#include "libs/crypto/envelope.h"

#include <utility>

#include "libs/common/status_macros.h"
#include "libs/crypto/drawn_random.h"
#include "libs/crypto/reseal.h"

namespace keyferry {
namespace {

std::string ValueContext(const SealContext& context, std::string_view key, std::string_view data_key_id) {
  return JoinParts({"keyferry/value/v1", context.organization_uid, context.set_uid, key, data_key_id});
}

std::string BoxContext(const SealContext& context, std::string_view data_key_id) {
  return JoinParts({"keyferry/data-key/v1", context.organization_uid, context.set_uid, data_key_id});
}

std::string EscrowContext(const SealContext& context, std::string_view data_key_id) {
  return JoinParts({"keyferry/escrow/v1", context.organization_uid, context.set_uid, data_key_id});
}

}  // namespace

DataKey::DataKey(SealContext context, SecretBytes key)
    : context_(std::move(context)),
      id_(DrawnRandom(kDataKeyIdBytes)),
      key_(std::move(key)),
      committed_(CommittedKey::Create(key_)) {}

DataKey DataKey::Create(SealContext context) { return DataKey(std::move(context), SecretBytes::Random(kKeyBytes)); }

SealedEntry DataKey::Seal(std::string_view key, const SecretBytes& value) const {
  return {.key = std::string(key),
          .data_key_id = id_,
          .ciphertext = committed_.Seal(value.Access(), ValueContext(context_, key, id_))};
}

absl::StatusOr<SealedDataKey> DataKey::SealToRegion(SealedBoxSender& sender, std::string_view region_public_key) const {
  ASSIGN_OR_RETURN(std::string box, sender.Seal(region_public_key, key_, BoxContext(context_, id_)));
  return SealedDataKey{
      .id = id_, .salt = committed_.salt(), .commitment = committed_.commitment(), .region_box = std::move(box)};
}

std::string DataKey::Wrap(const SecretBytes& escrow_key) const {
  return WrapDataKey(escrow_key, context_, id_, key_);
}

OpenedDataKey::OpenedDataKey(SealContext context, std::string id, CommittedKey key)
    : context_(std::move(context)), id_(std::move(id)), key_(std::move(key)) {}

absl::StatusOr<OpenedDataKey> OpenedDataKey::Open(const RegionKey& region_key, const SealContext& context,
                                                  const SealedDataKey& sealed) {
  ASSIGN_OR_RETURN(const SecretBytes key, region_key.OpenBox(sealed.region_box, BoxContext(context, sealed.id)));
  ASSIGN_OR_RETURN(CommittedKey committed, CommittedKey::Open(key, sealed.salt, sealed.commitment));
  return OpenedDataKey(context, sealed.id, std::move(committed));
}

absl::StatusOr<SecretBytes> OpenedDataKey::Open(const SealedEntry& entry) const {
  if (entry.data_key_id != id_) return DoesNotOpen();
  return key_.Open(entry.ciphertext, ValueContext(context_, entry.key, id_));
}

std::string WrapDataKey(const SecretBytes& escrow_key, const SealContext& context, std::string_view data_key_id,
                        const SecretBytes& data_key) {
  return SealFrame(escrow_key, data_key.Access(), EscrowContext(context, data_key_id));
}

absl::StatusOr<SecretBytes> UnwrapDataKey(const SecretBytes& escrow_key, const SealContext& context,
                                          std::string_view data_key_id, std::string_view wrapped) {
  return OpenFrame(escrow_key, wrapped, EscrowContext(context, data_key_id));
}

absl::StatusOr<SealedDataKey> SealAgain(const SealedDataKey& sealed, const SecretBytes& data_key, const SealContext& context, SealedBoxSender& sender,
                                        std::string_view region_public_key) {
  RETURN_IF_ERROR(CommittedKey::Open(data_key, sealed.salt, sealed.commitment).status());
  SealedDataKey again = sealed;
  ASSIGN_OR_RETURN(again.region_box, sender.Seal(region_public_key, data_key, BoxContext(context, sealed.id)));
  return again;
}

}  // namespace keyferry

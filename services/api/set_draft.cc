#include "services/api/set_draft.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/crypto/aead.h"
#include "libs/rpc/sealed_object_codec.h"
#include "libs/storage/keys.h"
#include "services/api/placements.h"

namespace keyferry {
namespace {

std::string SealedKeyOf(const SecretSet& set, const std::string& key) {
  return set.type == SecretSetType::kImagePullSecret ? kPullEntryKey : key;
}

}  // namespace

std::string Fingerprint(const OrganizationKeys& keys, std::string_view set_uid, std::string_view key,
                        const SecretBytes& value) {
  const SecretBytes of_key =
      SecretBytes::Take(HmacSha256(keys.fingerprint, JoinParts({"keyferry fingerprint", set_uid, key})));
  return HmacSha256(of_key, value.Access());
}

SetDraft SetDraft::New(SecretSet set) { return SetDraft(std::move(set)); }

absl::StatusOr<SetDraft> SetDraft::After(SecretSet set, const Generation& generation) {
  ASSIGN_OR_RETURN(SealedObject object, ParseSealedObject(generation.sealed_object));
  if (object.entries.size() != generation.entries.size()) {
    return absl::DataLossError("a generation's entries do not fit its sealed object");
  }
  SetDraft draft(std::move(set));
  for (size_t i = 0; i < object.entries.size(); ++i) {
    const SecretSetEntry& plain = generation.entries[i];
    if (object.entries[i].key != SealedKeyOf(draft.set_, plain.key)) {
      return absl::DataLossError("a generation's entries are not those of its sealed object");
    }
    draft.entries_[plain.key] = {.plain = plain, .sealed = std::move(object.entries[i])};
  }
  draft.data_keys_ = std::move(object.data_keys);
  draft.escrowed_keys_ = generation.escrowed_keys;
  draft.set_.host = generation.host;
  return draft;
}

absl::Status CheckEnrolled(const std::string& code, const RegionRow& region) {
  if (!region.sealing_key.empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("region \"", code, "\" cannot take anything yet, since none of its provisioners has enrolled; an operator makes a token for one with "
                                "`keyferry regions token ", code, "`; or name another region"),
                   {.reason = "REGION_NOT_ENROLLED", .metadata = {{"region", code}}});
}

absl::Status SetDraft::Put(const std::vector<SecretValue>& values, const Sealing& sealing) {
  RETURN_IF_ERROR(CheckEnrolled(set_.region, sealing.region));
  const DataKey data_key = DataKey::Create({.organization_uid = sealing.organization_uid, .set_uid = set_.uid});
  for (const SecretValue& value : values) {
    SecretSetEntry plain{.key = value.key, .value_bytes = static_cast<int>(value.value.size())};
    if (!sealing.region.blind) plain.fingerprint = Fingerprint(sealing.keys, set_.uid, value.key, value.value);
    entries_[value.key] = {.plain = std::move(plain),
                           .sealed = data_key.Seal(SealedKeyOf(set_, value.key), value.value)};
  }
  ASSIGN_OR_RETURN(SealedDataKey sealed, data_key.SealToRegion(sealing.sender, sealing.region.sealing_key));
  data_keys_.push_back(std::move(sealed));
  if (!sealing.region.blind) {
    escrowed_keys_.push_back({.data_key_id = data_key.id(), .wrapped_key = data_key.Wrap(sealing.keys.escrow())});
  }
  return absl::OkStatus();
}

void SetDraft::Erase(const std::string& key) { entries_.erase(key); }

void SetDraft::SetHost(std::string host) { set_.host = std::move(host); }

absl::Status SetDraft::CheckSize() const {
  std::vector<SecretSetEntry> plain;
  plain.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) plain.push_back({.value_bytes = entry.plain.value_bytes});
  Violations violations;
  CheckSetSize(plain, violations);
  return violations.ToStatus();
}

void SetDraft::DropUnusedKeys() {
  std::set<std::string> used;
  for (const auto& [key, entry] : entries_) used.insert(entry.sealed.data_key_id);
  std::erase_if(data_keys_, [&](const SealedDataKey& key) { return !used.contains(key.id); });
  std::erase_if(escrowed_keys_, [&](const EscrowedKey& key) { return !used.contains(key.data_key_id); });
}

SealedObject SetDraft::TakeSealedObject(const std::string& organization_uid) {
  SealedObject object{.generation = set_.generation,
                      .organization_uid = organization_uid,
                      .host = set_.host,
                      .image_pull_secret = set_.type == SecretSetType::kImagePullSecret,
                      .data_keys = std::move(data_keys_),
                      .secret_set_uid = set_.uid};
  object.entries.reserve(entries_.size());
  for (auto& [key, entry] : entries_) object.entries.push_back(std::move(entry.sealed));
  return object;
}

absl::StatusOr<SecretSet> SetDraft::Write(Transaction& transaction, const std::string& organization_uid,
                                          const std::string& author, absl::Time now) && {
  DropUnusedKeys();
  if (++set_.generation == 1) set_.create_time = now;
  set_.update_time = now;
  set_.last_author = author;
  set_.entries.clear();
  for (auto& [key, entry] : entries_) set_.entries.push_back(std::move(entry.plain));
  Generation generation{.number = set_.generation,
                        .sealed_object = SerializeSealedObject(TakeSealedObject(organization_uid)),
                        .escrowed_keys = std::move(escrowed_keys_),
                        .entries = std::move(set_.entries),
                        .host = set_.host,
                        .create_time = now,
                        .author = author};
  set_.digest = Sha256(generation.sealed_object);

  transaction.Put(keys::Generation(set_.organization, set_.uid, set_.generation), Encode(generation));
  set_.entries = std::move(generation.entries);
  transaction.Put(keys::SecretSet(set_.organization, set_.name), Encode(set_));
  if (const int64_t forgotten = set_.generation - kMaxGenerationsKept; forgotten >= 1) {
    transaction.Erase(keys::Generation(set_.organization, set_.uid, forgotten));
  }
  const ObjectId object{.kind = ObjectKind::kSecretSet, .organization = set_.organization, .name = set_.name};
  RETURN_IF_ERROR(DesireApply(transaction, set_.region, object, set_.uid, set_.generation, set_.digest, now));
  return std::move(set_);
}

}  // namespace keyferry

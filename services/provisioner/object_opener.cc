#include "services/provisioner/object_opener.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/common/error.h"
#include "libs/common/limits.h"
#include "libs/common/status_macros.h"
#include "libs/model/names.h"
#include "libs/rpc/sealed_object_codec.h"

namespace keyferry {
namespace {

constexpr size_t kMaxDataKeys = kMaxKeysPerSet + 1;

absl::Status BadPayload(std::string_view message) {
  return MakeError(absl::StatusCode::kDataLoss, message, {.reason = kReasonBadPayload});
}

absl::Status CannotOpen(std::string_view message) {
  return MakeError(absl::StatusCode::kDataLoss, message, {.reason = kReasonCannotOpen});
}

bool IsAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool AllOf(std::string_view text, std::string_view besides) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return IsAlphanumeric(c) || besides.find(c) != besides.npos; });
}

absl::Status CheckId(const ObjectId& id) {
  std::optional<FieldViolation> violation = CheckOrganizationName("organization", id.organization);
  if (!violation && id.kind == ObjectKind::kSecretSet) violation = CheckSecretSetName("name", id.name);
  if (!violation && id.kind == ObjectKind::kDeployment) violation = CheckAgentName("name", id.name);
  if (violation) return BadPayload(absl::StrCat("the object's ", violation->field, " ", violation->description));
  return absl::OkStatus();
}

absl::Status CheckShape(const SealedObject& sealed) {
  if (sealed.data_keys.size() > kMaxDataKeys)
    return BadPayload("the object has more data keys than a set can have values");
  if (sealed.image_pull_secret) {
    return sealed.entries.size() == 1 ? absl::OkStatus()
                                      : BadPayload("an image pull secret must have exactly one entry");
  }
  if (sealed.entries.size() > kMaxKeysPerSet) return BadPayload("the object has more keys than a set can have");
  for (size_t i = 0; i < sealed.entries.size(); ++i) {
    if (const auto violation = CheckSecretKey("key", sealed.entries[i].key)) {
      return BadPayload(absl::StrCat("entry ", i + 1, ": its key ", violation->description));
    }
  }
  return absl::OkStatus();
}

// Opens each data key once for each context that values name it in.
class ValueOpener {
 public:
  ValueOpener(const RegionKeySet& region_keys, const SealedObject& sealed)
      : region_keys_(region_keys), sealed_(sealed) {}

  absl::StatusOr<SecretBytes> Open(const std::string& set_uid, const SealedEntry& entry) {
    const std::string name = entry.key.empty() ? "the pull secret" : absl::StrCat("the value of ", entry.key);
    ASSIGN_OR_RETURN(const OpenedDataKey* data_key, DataKeyOf(set_uid, entry, name));
    absl::StatusOr<SecretBytes> value = data_key->Open(entry);
    if (!value.ok())
      return CannotOpen(absl::StrCat(name, " does not open: it was changed, or sealed for another place"));
    return value;
  }

 private:
  absl::StatusOr<const OpenedDataKey*> DataKeyOf(const std::string& set_uid, const SealedEntry& entry,
                                                 const std::string& name) {
    const auto cached = opened_.find({set_uid, entry.data_key_id});
    if (cached != opened_.end()) return &cached->second;
    const auto sealed = std::find_if(sealed_.data_keys.begin(), sealed_.data_keys.end(),
                                     [&](const SealedDataKey& key) { return key.id == entry.data_key_id; });
    if (sealed == sealed_.data_keys.end()) return BadPayload(absl::StrCat("the data key of ", name, " is missing"));
    auto opened = region_keys_.Open({.organization_uid = sealed_.organization_uid, .set_uid = set_uid}, *sealed);
    if (!opened.ok()) {
      return CannotOpen(
          absl::StrCat("the data key of ", name, " is not sealed to a key of this region, or not for this place"));
    }
    return &opened_.emplace(std::pair(set_uid, entry.data_key_id), *std::move(opened)).first->second;
  }

  const RegionKeySet& region_keys_;
  const SealedObject& sealed_;
  std::map<std::pair<std::string, std::string>, OpenedDataKey> opened_;
};

absl::StatusOr<OpenedPullCredentials> OpenPullCredentials(ValueOpener& opener, const std::string& set_uid,
                                                          const SealedEntry& entry, const std::string& host) {
  if (host.empty() || host.size() > kMaxHostLength || !AllOf(host, ".:/-_[]")) {
    return BadPayload("the pull secret's host is empty, too long, or has characters that no host has");
  }
  ASSIGN_OR_RETURN(SecretBytes auth, opener.Open(set_uid, entry));
  if (auth.size() > kMaxPullAuthBytes || !AllOf(auth.Access(), "+/="))
    return BadPayload("the pull secret is not base64");
  return OpenedPullCredentials{.host = host, .auth = std::move(auth)};
}

absl::StatusOr<std::vector<OpenedValue>> OpenValues(ValueOpener& opener, const std::string& set_uid,
                                                    const SealedObject& sealed) {
  std::vector<OpenedValue> values;
  for (const SealedEntry& entry : sealed.entries) {
    ASSIGN_OR_RETURN(SecretBytes value, opener.Open(set_uid, entry));
    if (value.size() > kMaxValueBytes) return BadPayload(absl::StrCat("the value of ", entry.key, " is too large"));
    if (value.Access().find('\0') != std::string_view::npos)
      return BadPayload(absl::StrCat("the value of ", entry.key, " holds NUL"));
    values.push_back({.key = entry.key, .value = std::move(value)});
  }
  std::sort(values.begin(), values.end(), [](const OpenedValue& a, const OpenedValue& b) { return a.key < b.key; });
  const auto twice = std::adjacent_find(values.begin(), values.end(),
                                        [](const OpenedValue& a, const OpenedValue& b) { return a.key == b.key; });
  if (twice != values.end()) return BadPayload(absl::StrCat("key ", twice->key, " is there twice"));
  return values;
}

// The uid that a set's values are bound to must be that of the object itself.
absl::StatusOr<std::string> SetUidOf(const RegionObject& object, const SealedObject& sealed) {
  if (object.id.kind == ObjectKind::kDeployment) return sealed.secret_set_uid;
  if (sealed.secret_set_uid.empty() || sealed.secret_set_uid == object.uid) return object.uid;
  return BadPayload("the sealed object is another set's");
}

}  // namespace

SecretBytes DockerConfigJson(const OpenedPullCredentials& credentials) {
  const std::string head = absl::StrCat("{\"auths\":{\"", credentials.host, "\":{\"auth\":\"");
  constexpr std::string_view kTail = "\"}}}";
  SecretBytes json(head.size() + credentials.auth.size() + kTail.size());
  auto out = json.AccessMutable().begin();
  for (const std::string_view part : {std::string_view(head), credentials.auth.Access(), kTail}) {
    out = std::copy(part.begin(), part.end(), out);
  }
  return json;
}

absl::StatusOr<OpenedObject> OpenObject(const RegionKeySet& keys, const RegionObject& object) {
  RETURN_IF_ERROR(CheckId(object.id));
  const absl::StatusOr<SealedObject> sealed = ParseSealedObject(object.sealed_object);
  if (!sealed.ok()) return BadPayload("the payload is no sealed object");
  RETURN_IF_ERROR(CheckShape(*sealed));
  ASSIGN_OR_RETURN(const std::string set_uid, SetUidOf(object, *sealed));
  OpenedObject opened{.id = object.id,
                      .revision = object.version.revision,
                      .generation = sealed->generation,
                      .secret_set_generation = sealed->secret_set_generation,
                      .image = sealed->image};
  ValueOpener opener(keys, *sealed);
  if (sealed->image_pull_secret) {
    ASSIGN_OR_RETURN(opened.pull_credentials, OpenPullCredentials(opener, set_uid, sealed->entries[0], sealed->host));
    return opened;
  }
  ASSIGN_OR_RETURN(opened.values, OpenValues(opener, set_uid, *sealed));
  if (sealed->pull_entry != SealedEntry{}) {
    ASSIGN_OR_RETURN(opened.pull_credentials, OpenPullCredentials(opener, sealed->pull_secret_uid, sealed->pull_entry,
                                                                  sealed->pull_secret_host));
  }
  return opened;
}

}  // namespace keyferry

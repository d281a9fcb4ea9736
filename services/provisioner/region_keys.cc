#include "services/provisioner/region_keys.h"

#include <utility>

#include "libs/common/status_macros.h"

namespace keyferry {
namespace {

std::vector<RegionKey> ListOf(RegionKey key) {
  std::vector<RegionKey> keys;
  keys.push_back(std::move(key));
  return keys;
}

}  // namespace

RegionKeySet::RegionKeySet(std::vector<RegionKey> keys) : keys_(std::move(keys)) {}

absl::StatusOr<RegionKeySet> RegionKeySet::Load(const std::string& keyring, const std::string& data_directory) {
  ASSIGN_OR_RETURN(const Keyring loaded, Keyring::Load(keyring, data_directory));
  ASSIGN_OR_RETURN(const Keyring::Key current, loaded.Current(KeyPurpose::kRegion));
  std::vector<RegionKey> keys;
  ASSIGN_OR_RETURN(RegionKey current_key, RegionKey::FromPrivate(current.bytes->Clone()));
  keys.push_back(std::move(current_key));
  for (const Keyring::Listed& listed : loaded.List()) {
    if (listed.purpose != KeyPurpose::kRegion || listed.state == KeyState::kCurrent) continue;
    ASSIGN_OR_RETURN(const Keyring::Key previous, loaded.Find(KeyPurpose::kRegion, listed.id));
    ASSIGN_OR_RETURN(RegionKey previous_key, RegionKey::FromPrivate(previous.bytes->Clone()));
    keys.push_back(std::move(previous_key));
  }
  return RegionKeySet(std::move(keys));
}

std::vector<std::string> RegionKeySet::ids() const {
  std::vector<std::string> ids;
  for (const RegionKey& key : keys_) ids.push_back(key.id());
  return ids;
}

absl::StatusOr<OpenedDataKey> RegionKeySet::Open(const SealContext& context, const SealedDataKey& sealed) const {
  auto opened = OpenedDataKey::Open(keys_.front(), context, sealed);
  // A box names its key: those that are not meant refuse it at once.
  for (size_t i = 1; i < keys_.size() && !opened.ok(); ++i) opened = OpenedDataKey::Open(keys_[i], context, sealed);
  return opened;
}

RegionKeys::RegionKeys(RegionKey key) : RegionKeys(RegionKeySet(ListOf(std::move(key)))) {}

std::shared_ptr<const RegionKeySet> RegionKeys::Get() const {
  absl::MutexLock lock(&mutex_);
  return keys_;
}

void RegionKeys::Replace(RegionKeySet keys) {
  auto replaced = std::make_shared<const RegionKeySet>(std::move(keys));
  absl::MutexLock lock(&mutex_);
  keys_.swap(replaced);
}

}  // namespace keyferry

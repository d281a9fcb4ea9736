#include "libs/crypto/keyring.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/keyring_file.h"
#include "libs/crypto/keyring_text.h"

namespace keyferry {
namespace {

constexpr std::pair<std::string_view, KeyPurpose> kPurposes[] = {{"root", KeyPurpose::kRoot},
                                                                 {"pepper", KeyPurpose::kPepper},
                                                                 {"region", KeyPurpose::kRegion},
                                                                 {"audit", KeyPurpose::kAudit},
                                                                 {"backup", KeyPurpose::kBackup}};

absl::string_view Abseil(std::string_view s) { return {s.data(), s.size()}; }

absl::Status NoSuchKey(const std::string& path, KeyPurpose purpose, std::string_view id) {
  return absl::NotFoundError(absl::StrCat("keyring ", path, ": it holds no key ", Abseil(id), " of purpose ", Abseil(NameOfPurpose(purpose))));
}

// Reads the file, changes its entries and puts the new file in its place.
template <typename Edit>
absl::Status EditKeyring(const std::string& path, const Edit& edit) {
  return ReplaceKeyringFile(path, [&](const SecretBytes& text) -> absl::StatusOr<SecretBytes> {
    ASSIGN_OR_RETURN(std::vector<KeyringEntry> entries, ParseKeyring(path, text.Access()));
    RETURN_IF_ERROR(edit(entries));
    return PrintKeyring(entries);
  });
}

}  // namespace

std::string_view NameOfPurpose(KeyPurpose purpose) { return kPurposes[static_cast<int>(purpose)].first; }

std::optional<KeyPurpose> PurposeOfName(std::string_view name) {
  for (const auto& [known, purpose] : kPurposes) {
    if (known == name) return purpose;
  }
  return std::nullopt;
}

absl::StatusOr<Keyring> Keyring::Load(const std::string& path, const std::string& data_directory) {
  ASSIGN_OR_RETURN(const SecretBytes text, ReadKeyringFile(path, data_directory));
  ASSIGN_OR_RETURN(std::vector<KeyringEntry> entries, ParseKeyring(path, text.Access()));
  Keyring keyring;
  for (KeyringEntry& entry : entries) keyring.Take(std::move(entry));
  return keyring;
}

absl::Status Keyring::Create(const std::string& path, const std::vector<KeyPurpose>& purposes) {
  if (purposes.empty()) return absl::InvalidArgumentError("a keyring needs at least one purpose");
  std::vector<KeyringEntry> entries;
  for (const KeyPurpose purpose : purposes) {
    if (std::count(purposes.begin(), purposes.end(), purpose) != 1) {
      return absl::InvalidArgumentError("a new keyring has one key of each purpose, not two");
    }
    entries.push_back(NewKeyringEntry(purpose));
  }
  return WriteNewKeyringFile(path, PrintKeyring(entries).Access());
}

absl::StatusOr<std::string> Keyring::AddKey(const std::string& path, KeyPurpose purpose) {
  std::string id;
  RETURN_IF_ERROR(EditKeyring(path, [&](std::vector<KeyringEntry>& entries) {
    for (KeyringEntry& entry : entries) {
      if (entry.purpose == purpose) entry.state = KeyState::kPrevious;
    }
    entries.push_back(NewKeyringEntry(purpose));
    id = entries.back().id;
    return absl::OkStatus();
  }));
  return id;
}

absl::Status Keyring::Retire(const std::string& path, KeyPurpose purpose, std::string_view id) {
  return EditKeyring(path, [&](std::vector<KeyringEntry>& entries) -> absl::Status {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const KeyringEntry& entry) { return entry.purpose == purpose && entry.id == id; });
    if (found == entries.end()) return NoSuchKey(path, purpose, id);
    if (found->state == KeyState::kCurrent) {
      return absl::FailedPreconditionError(absl::StrCat("keyring ", path, ": key ", Abseil(id), " is the current key of purpose ",
                                                        Abseil(NameOfPurpose(purpose)), "; add a newer one first and wait until nothing needs this one"));
    }
    entries.erase(found);
    return absl::OkStatus();
  });
}

Keyring Keyring::ForTest() {
  Keyring keyring;
  for (const auto& [name, purpose] : kPurposes) keyring.Take(NewKeyringEntry(purpose));
  return keyring;
}

void Keyring::Take(KeyringEntry entry) {
  if (entry.state == KeyState::kCurrent) current_.insert_or_assign(entry.purpose, entry.id);
  keys_.emplace(std::make_pair(entry.purpose, std::move(entry.id)), std::move(entry.key));
}

absl::StatusOr<Keyring::Key> Keyring::Current(KeyPurpose purpose) const {
  const auto current = current_.find(purpose);
  if (current == current_.end()) {
    const absl::string_view name = Abseil(NameOfPurpose(purpose));
    return absl::NotFoundError(absl::StrCat("the keyring holds no key of purpose ", name, "; add one: keyferry-api keyring add ", name));
  }
  return Find(purpose, current->second);
}

absl::StatusOr<Keyring::Key> Keyring::Find(KeyPurpose purpose, std::string_view id) const {
  const auto found = keys_.find({purpose, std::string(id)});
  if (found == keys_.end()) {
    return absl::NotFoundError(
        absl::StrCat("the keyring holds no key ", Abseil(id), " of purpose ", Abseil(NameOfPurpose(purpose))));
  }
  return Key{.id = found->first.second, .bytes = &found->second};
}

std::vector<Keyring::Listed> Keyring::List() const {
  std::vector<Listed> listed;
  for (const auto& [name, key] : keys_) {
    const bool is_current = current_.at(name.first) == name.second;
    listed.push_back({.purpose = name.first, .state = is_current ? KeyState::kCurrent : KeyState::kPrevious, .id = name.second});
  }
  return listed;
}

}  // namespace keyferry

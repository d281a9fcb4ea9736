#include "services/api/keyring_command.h"

#include "absl/strings/str_cat.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/keyring.h"

namespace keyferry {
namespace {

using Words = std::vector<std::string>;

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

// Where a word that is no purpose may be a key that was put there by mistake, so it is not repeated.
absl::StatusOr<KeyPurpose> PurposeOf(const std::string& word) {
  const std::optional<KeyPurpose> purpose = PurposeOfName(word);
  if (purpose == KeyPurpose::kRegion)
    return absl::InvalidArgumentError("region keys are in the provisioners' keyrings, not in the API's");
  if (!purpose) return absl::InvalidArgumentError("PURPOSE must be root, pepper, audit or backup");
  return *purpose;
}

std::string Listing(const Keyring& keyring) {
  std::string text;
  for (const Keyring::Listed& key : keyring.List()) {
    absl::StrAppend(&text, Abseil(NameOfPurpose(key.purpose)),
                    key.state == KeyState::kCurrent ? " current " : " previous ", key.id, "\n");
  }
  return text;
}

absl::StatusOr<std::string> List(const Words& words, const std::string&) {
  ASSIGN_OR_RETURN(const Keyring keyring, Keyring::Load(words[1], ""));
  return Listing(keyring);
}

absl::StatusOr<std::string> Init(const Words& words, const std::string& data_directory) {
  RETURN_IF_ERROR(CreateApiKeyring(words[1]));
  return List(words, data_directory);
}

absl::StatusOr<std::string> Add(const Words& words, const std::string&) {
  ASSIGN_OR_RETURN(const KeyPurpose purpose, PurposeOf(words[2]));
  ASSIGN_OR_RETURN(const std::string id, Keyring::AddKey(words[1], purpose));
  return absl::StrCat(Abseil(NameOfPurpose(purpose)), " current ", id, "\n");
}

absl::StatusOr<std::string> Retire(const Words& words, const std::string&) {
  ASSIGN_OR_RETURN(const KeyPurpose purpose, PurposeOf(words[2]));
  RETURN_IF_ERROR(Keyring::Retire(words[1], purpose, words[3]));
  return absl::StrCat(Abseil(NameOfPurpose(purpose)), " retired ", words[3], "\n");
}

absl::StatusOr<std::string> Verify(const Words& words, const std::string& data_directory) {
  ASSIGN_OR_RETURN(const Keyring keyring, Keyring::Load(words[1], data_directory));
  for (const KeyPurpose purpose : {KeyPurpose::kRoot, KeyPurpose::kPepper, KeyPurpose::kAudit, KeyPurpose::kBackup}) {
    RETURN_IF_ERROR(keyring.Current(purpose).status());
  }
  return absl::StrCat("keyring ", words[1], ": ", keyring.List().size(), " keys, all in order\n");
}

struct Verb {
  absl::string_view name;
  size_t word_count;
  absl::string_view usage;
  absl::StatusOr<std::string> (*run)(const Words& words, const std::string& data_directory);
};

constexpr Verb kVerbs[] = {{"init", 2, "init PATH", Init},
                           {"add", 3, "add PATH PURPOSE", Add},
                           {"list", 2, "list PATH", List},
                           {"retire", 4, "retire PATH PURPOSE ID", Retire},
                           {"verify", 2, "verify PATH", Verify}};

}  // namespace

absl::Status CreateApiKeyring(const std::string& path) {
  return Keyring::Create(path, {KeyPurpose::kRoot, KeyPurpose::kPepper, KeyPurpose::kAudit, KeyPurpose::kBackup});
}

absl::StatusOr<std::string> RunKeyringCommand(const Words& words, const std::string& data_directory) {
  for (const Verb& verb : kVerbs) {
    if (words.empty() || words[0] != verb.name) continue;
    if (words.size() == verb.word_count) return verb.run(words, data_directory);
    return absl::InvalidArgumentError(absl::StrCat("usage: keyferry-api keyring ", verb.usage));
  }
  return absl::InvalidArgumentError("usage: keyferry-api keyring init|add|list|retire|verify PATH ...; see --help");
}

}  // namespace keyferry

// `keyferry-api keyring VERB PATH ...`: makes and tends the keyring file. Shows ids, never keys.
//
//   init PATH                 root, pepper, audit and backup keys, as init-keyring
//   add PATH PURPOSE          a newer key of root, pepper, audit or backup; the one before is kept as previous
//   list PATH                 purpose, state and id of each
//   retire PATH PURPOSE ID    destroys a previous key
//   verify PATH               every check that a start makes, with --data-dir also that the file is not inside it
#ifndef KEYFERRY_SERVICES_API_KEYRING_COMMAND_H_
#define KEYFERRY_SERVICES_API_KEYRING_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace keyferry {

// What an API's keyring holds.
absl::Status CreateApiKeyring(const std::string& path);

// `words` begin with the verb. What to print, lines with their ends. InvalidArgument: no such verb, too few or too many
// words, no purpose of an API's keyring. Otherwise as Keyring.
absl::StatusOr<std::string> RunKeyringCommand(const std::vector<std::string>& words, const std::string& data_directory);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_KEYRING_COMMAND_H_

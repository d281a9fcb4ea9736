// OpenedObject: one object of the region with its values in the clear. It exists while a sink takes it or an
// environment is answered.
//
// Thread safety: a value.
#ifndef KEYFERRY_SERVICES_PROVISIONER_OPENED_OBJECT_H_
#define KEYFERRY_SERVICES_PROVISIONER_OPENED_OBJECT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libs/crypto/secret_bytes.h"
#include "libs/model/placement.h"

namespace keyferry {

struct OpenedValue {
  // Valid by CheckSecretKey.
  std::string key;
  SecretBytes value;
};

struct OpenedPullCredentials {
  // Host characters only.
  std::string host;
  // Base64 of `username:token`.
  SecretBytes auth;
};

struct OpenedObject {
  // Names are valid by the checks of libs/model/names.h.
  ObjectId id;
  uint64_t revision = 0;
  int64_t generation = 0;
  int64_t secret_set_generation = 0;
  std::string image;
  // Sorted by key, no key twice.
  std::vector<OpenedValue> values;
  std::optional<OpenedPullCredentials> pull_credentials;
};

// {"auths":{"<host>":{"auth":"<auth>"}}}, as container runtimes read it.
SecretBytes DockerConfigJson(const OpenedPullCredentials& credentials);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_OPENED_OBJECT_H_

// Plain values of secret sets and deployments: no wire types, no plaintext, no I/O.
#ifndef KEYFERRY_MODEL_SECRET_SET_H_
#define KEYFERRY_MODEL_SECRET_SET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "libs/crypto/envelope.h"

namespace keyferry {

// Numbers are on disk and on the wire: do not renumber.
enum class SecretSetType : uint8_t { kSecret = 1, kImagePullSecret = 2 };

struct SecretSetEntry {
  // Empty for the one entry of an image pull secret.
  std::string key;
  int value_bytes = 0;
  // Keyed digest of the value; empty in a blind region.
  std::string fingerprint;
};

struct SecretSet {
  std::string organization;
  std::string name;
  std::string uid;
  SecretSetType type = SecretSetType::kSecret;
  std::string region;
  int64_t generation = 0;
  absl::Time create_time;
  absl::Time update_time;
  // Sorted by key.
  std::vector<SecretSetEntry> entries;
  std::string host;
  // SHA-256 over the generation's sealed object.
  std::string digest;
  std::string last_author;

  // Changes with every generation, and when a name is used again.
  std::string Etag() const;
};

struct EscrowedKey {
  std::string data_key_id;
  std::string wrapped_key;
};

// What a generation was made of, kept for rollback and for delivery.
struct Generation {
  int64_t number = 0;
  std::string sealed_object;
  std::vector<EscrowedKey> escrowed_keys;
  std::vector<SecretSetEntry> entries;
  std::string host;
  absl::Time create_time;
  std::string author;
};

struct Deployment {
  std::string organization;
  std::string agent;
  std::string uid;
  std::string region;
  std::string image;
  std::string secret_set;
  std::string secret_set_uid;
  int64_t secret_set_generation = 0;
  std::string image_pull_secret;
  std::string image_pull_secret_uid;
  int64_t image_pull_secret_generation = 0;
  std::vector<std::string> required_keys;
  std::vector<std::string> keys;
  int64_t generation = 0;
  std::string client_data;
  absl::Time create_time;
  absl::Time update_time;
  std::string sealed_object;
  std::string digest;
  // Of the data keys that its sealed object names; none of a blind region.
  std::vector<EscrowedKey> escrowed_keys;

  std::string Etag() const;
};

// What a region stores of an object; the wire's SealedObject.
struct SealedObject {
  int64_t generation = 0;
  std::string organization_uid;
  std::string host;
  bool image_pull_secret = false;
  std::vector<SealedEntry> entries;
  std::vector<SealedDataKey> data_keys;
  std::string image;
  std::string secret_set;
  std::string secret_set_uid;
  int64_t secret_set_generation = 0;
  std::string image_pull_secret_name;
  // Deployments with a pull secret.
  std::string pull_secret_uid;
  std::string pull_secret_host;
  // Its key is `auth`, as in the image pull secret. data_key_id empty: none.
  SealedEntry pull_entry;
};

}  // namespace keyferry

#endif  // KEYFERRY_MODEL_SECRET_SET_H_

// API keys: `kf_<id>_<secret><checksum>`, 10, 30 and 6 base62 characters; the checksum is the CRC-32 of all before it,
// so that a typing error or a scanner needs no server. Stored as HMAC-SHA256 of the secret under a pepper of the
// keyring; shown once, when made.
//
// Verified keys stay in memory; a change of a key's row takes effect before the call that made it is answered.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_API_KEYS_H_
#define KEYFERRY_SERVICES_API_API_KEYS_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/crypto/keyring.h"
#include "libs/crypto/secret_bytes.h"
#include "libs/storage/codec.h"
#include "services/api/transaction.h"

namespace keyferry {

inline constexpr size_t kApiKeyIdLength = 10;
inline constexpr size_t kApiKeySecretLength = 30;
inline constexpr size_t kApiKeyChecksumLength = 6;
inline constexpr size_t kMaxApiKeysCached = 65'536;
// Not counting revoked ones.
inline constexpr size_t kMaxApiKeysPerOrganization = 1000;

struct ParsedApiKey {
  std::string_view id;
  std::string_view secret;
};

bool IsApiKeyId(std::string_view text);
// Form and checksum; nullopt when either is wrong.
std::optional<ParsedApiKey> ParseApiKey(std::string_view text);
// A new random key.
SecretBytes GenerateApiKey();

struct IdentifiedApiKey {
  std::string id;
  ApiKeyRow row;
};

struct NewApiKey {
  IdentifiedApiKey api_key;
  SecretBytes text;
};

struct ApiKeyRequest {
  std::string organization;
  std::string display_name;
  Role role = Role::kViewer;
  std::string author;
};

class ApiKeys {
 public:
  // All references outlive it. The writer's store is the sealing view.
  static std::unique_ptr<ApiKeys> Create(const Writer& writer, const Keyring& keyring, const Clock& clock);
  virtual ~ApiKeys() = default;

  // Unauthenticated, always in the same words and at the same price, for a key that is malformed, unknown, wrong or
  // revoked; the store's error when it cannot be read.
  virtual absl::StatusOr<std::shared_ptr<const IdentifiedApiKey>> Verify(std::string_view text) = 0;

  // NotFound: no such organization. InvalidArgument: INVALID_API_KEY. ResourceExhausted: kMaxApiKeysPerOrganization.
  virtual void Make(const ApiKeyRequest& request, std::function<void(absl::StatusOr<NewApiKey>)> done) = 0;
  // All of the organization's, in order of id, revoked ones too. NotFound: no such organization.
  virtual absl::StatusOr<std::vector<IdentifiedApiKey>> List(const std::string& organization) = 0;
  // For good; revoking a revoked key changes nothing. NotFound: API_KEY_NOT_FOUND, also for another organization's.
  // InvalidArgument: INVALID_API_KEY_ID, without the text, which may be a whole key.
  virtual void Revoke(const std::string& organization, const std::string& id,
                      std::function<void(absl::Status)> done) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_API_KEYS_H_

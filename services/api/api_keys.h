// API keys: `kf_<id>_<secret><checksum>`, 10, 30 and 6 base62 characters; the checksum is the CRC-32 of all before it,
// so that a typing error or a scanner needs no server. Stored as HMAC-SHA256 of the secret under a pepper of the
// keyring; shown once, when made.
//
// Verified keys stay in memory; a change of a key's row takes effect before the call that made it is answered. When a key was used last is
// written in the background, to the hour (api_key_uses.h).
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
inline constexpr absl::Duration kMinApiKeyLifetime = absl::Minutes(1);
inline constexpr absl::Duration kMaxApiKeyLifetime = absl::Hours(24 * 3650);
inline constexpr absl::Duration kDefaultRotationOverlap = absl::Hours(24);
inline constexpr absl::Duration kMaxRotationOverlap = absl::Hours(24 * 30);

struct ParsedApiKey {
  std::string_view id;
  std::string_view secret;
};

bool IsApiKeyId(std::string_view text);
inline constexpr std::string_view kApiKeyPrefix = "kf_";
// Form and checksum; nullopt when either is wrong. Another prefix of that length is another kind of token.
std::optional<ParsedApiKey> ParseApiKey(std::string_view text, std::string_view prefix = kApiKeyPrefix);
// A new random key.
SecretBytes GenerateApiKey(std::string_view prefix = kApiKeyPrefix);

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
  // nullopt: it never expires.
  std::optional<absl::Duration> time_to_live;
};

struct ApiKeyRotation {
  std::string organization;
  std::string id;
  std::string author;
  absl::Duration overlap = kDefaultRotationOverlap;
  // nullopt: as long as the old one was made for.
  std::optional<absl::Duration> time_to_live;
};

class ApiKeys {
 public:
  // How a key's HMAC is made; a test may count.
  using Hmac = std::function<std::string(const SecretBytes& key, std::string_view message)>;

  // All references outlive it. The writer's store is the sealing view.
  static std::unique_ptr<ApiKeys> Create(const Writer& writer, const Keyring& keyring, const Clock& clock,
                                         Hmac hmac = nullptr);
  virtual ~ApiKeys() = default;

  // Unauthenticated, always in the same words, for a key that is malformed, unknown, wrong, expired or revoked, and at the same price (one HMAC, one
  // read of the store; which may find the row in memory, so that time may tell which ids exist: they are no secret) for all but the malformed, which need no server to tell; the store's error when it cannot be read. `ended`, unless null: is
  // given the key that was refused though it is right, for it has expired or was revoked; it is no guess, and its owner is known.
  virtual absl::StatusOr<std::shared_ptr<const IdentifiedApiKey>> Verify(
      std::string_view text, std::shared_ptr<const IdentifiedApiKey>* ended = nullptr) = 0;
  // Whether a key that was verified still counts; also when the store cannot be read and this process did not end it.
  virtual bool IsLive(std::string_view id) = 0;

  // NotFound: no such organization. InvalidArgument: INVALID_API_KEY. ResourceExhausted QUOTA_EXCEEDED: so many live ones as the organization may
  // have.
  virtual void Make(const ApiKeyRequest& request, std::function<void(absl::StatusOr<NewApiKey>)> done) = 0;
  // A new key of the same name and role; the old one ends with the overlap, unless before. FailedPrecondition: API_KEY_ROTATION_RUNS, two of the
  // line are live; API_KEY_NOT_LIVE. InvalidArgument: INVALID_API_KEY, INVALID_API_KEY_ID. NotFound: API_KEY_NOT_FOUND. No quota stops it.
  virtual void Rotate(const ApiKeyRotation& rotation, std::function<void(absl::StatusOr<NewApiKey>)> done) = 0;
  // None of its keys counts any more, at once and for good, whatever their rows say.
  virtual void EndOrganization(const std::string& organization) = 0;
  // Those that are neither revoked nor expired.
  virtual absl::StatusOr<int64_t> CountLive(const std::string& organization) = 0;
  // All of the organization's, in order of id, ended ones too (those that api_key_sweep.h keeps). NotFound: no such organization.
  virtual absl::StatusOr<std::vector<IdentifiedApiKey>> List(const std::string& organization) = 0;
  // For good; revoking a revoked key changes nothing. NotFound: API_KEY_NOT_FOUND, also for another organization's.
  // InvalidArgument: INVALID_API_KEY_ID, without the text, which may be a whole key.
  virtual void Revoke(const std::string& organization, const std::string& id,
                      std::function<void(absl::Status)> done) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_API_KEYS_H_

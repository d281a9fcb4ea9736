// Root keys in a KMS: wraps by Encrypt and unwraps by Decrypt of a plugin (kms_client.h).
//
// 1. What goes to the KMS is the SHA-256 of context, key id and key, and the key: a KMS knows no associated data.
// Unwrap compares it in
//    constant time, so that no other context's and no other plaintext passes.
// 2. Status is asked once a minute, every ten seconds while the plugin is not well. An Encrypt by another key than the
// last healthy Status
//    named is thrown away; Status is asked again at once and the key is wrapped once more.
// 3. A wrapped key is given out only after it was unwrapped again: a plugin that answers rubbish costs a new
// organization, never its values.
// 4. While the plugin does not answer, one call at a time tries it; the others are refused without waiting, so that
// they hold no threads.
//
// Root key ids are `kms:` and the KMS's key_id.
#ifndef KEYFERRY_SERVICES_API_KMS_ROOT_KEYS_H_
#define KEYFERRY_SERVICES_API_KMS_ROOT_KEYS_H_

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "libs/crypto/root_keys.h"
#include "services/api/kms_client.h"

namespace keyferry {

inline constexpr std::string_view kKmsKeyIdPrefix = "kms:";
inline constexpr absl::Duration kKmsStatusInterval = absl::Seconds(60);
inline constexpr absl::Duration kKmsUnhealthyStatusInterval = absl::Seconds(10);
inline constexpr double kKmsStatusJitter = 0.1;

// Until the next Status, 10 % earlier or later.
absl::Duration KmsStatusDelay(bool healthy, double random_0_to_1);

class KmsRootKeys : public RootKeys {
 public:
  struct Options {
    // Asks Status by itself; a test does it by hand.
    bool keeps_asking = true;
  };

  // Knows nothing of the plugin until the first Refresh or AwaitHealthy. The client outlives it.
  static std::unique_ptr<KmsRootKeys> Create(KmsClient& client, Options options);
  static std::unique_ptr<KmsRootKeys> Create(KmsClient& client) { return Create(client, Options()); }

  // Asks Status now. Ok, or as KmsClient.
  virtual absl::Status Refresh() = 0;
  // Asks Status every second until it is well or the time is over. FailedPrecondition: waiting does not help.
  // Unavailable.
  virtual absl::Status AwaitHealthy(absl::Duration patience) = 0;

  // Of RootKeys: Unavailable has reason KMS_UNAVAILABLE and words for every caller; only Health's, for operators, say
  // what is wrong.
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_KMS_ROOT_KEYS_H_

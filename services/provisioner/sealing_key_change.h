// SealingKeyChange: tells the API of a new region key. Only the provisioner that owns the region does that, and only
// for the keyring's current key; standbys go on under the key that the API knows.
//
// Thread safety: all methods from any thread; Step on one.
#ifndef KEYFERRY_SERVICES_PROVISIONER_SEALING_KEY_CHANGE_H_
#define KEYFERRY_SERVICES_PROVISIONER_SEALING_KEY_CHANGE_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/provisioner/region_keys.h"

namespace keyferry {

inline constexpr absl::Duration kMinSealingKeyRetry = absl::Seconds(1);
inline constexpr absl::Duration kMaxSealingKeyRetry = absl::Minutes(1);

class SealingKeyChange {
 public:
  struct Options {
    const RegionKeys& keys;
    // ChangeSealingKey on a channel of its own. Also OK when the API knows the current key by now: an answer was lost.
    std::function<absl::Status(const RegionKeySet&)> change;
  };
  explicit SealingKeyChange(Options options) : options_(std::move(options)) {}

  // The region is owned, under this key's id; nullopt: no longer.
  void SetOwned(std::optional<std::string> sealing_key_id);
  // Does what is due; answers when to come again, if nobody nudges before.
  absl::Duration Step();

 private:
  std::optional<std::string> known_to_api() const;

  const Options options_;
  absl::BitGen random_;
  int failures_ = 0;
  mutable absl::Mutex mutex_;
  // While the region is owned: the key that the API seals to.
  std::optional<std::string> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_SEALING_KEY_CHANGE_H_

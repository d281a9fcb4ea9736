// Keys that ended are kept for a while, so that `keys list` tells of them, and go then: each after
// kEndedApiKeyLifetime, and of an organization all but the newest kMaxEndedApiKeys.
#ifndef KEYFERRY_SERVICES_API_API_KEY_SWEEP_H_
#define KEYFERRY_SERVICES_API_API_KEY_SWEEP_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "services/api/api_keys.h"
#include "services/api/transaction.h"

namespace keyferry {

inline constexpr absl::Duration kEndedApiKeyLifetime = absl::Hours(24 * 30);
inline constexpr size_t kMaxEndedApiKeys = 1000;
// Of one commit, and of one that makes a key.
inline constexpr size_t kApiKeysASweep = 1000;
inline constexpr size_t kEndedApiKeysACall = 100;
inline constexpr absl::Duration kApiKeySweepInterval = absl::Hours(1);
inline constexpr absl::Duration kApiKeySweepStepInterval = absl::Milliseconds(100);

// Whether it counts, and from when on not.
bool IsLiveAt(const ApiKeyRow& row, absl::Time now);
absl::Time EndOf(const ApiKeyRow& row);

// Of one organization's keys those that go, the oldest first.
std::vector<std::string> EndedKeysToErase(const std::vector<IdentifiedApiKey>& keys, absl::Time now);
// At most kEndedApiKeysACall of them, as part of a commit. A key never comes back to life, so that nothing is pinned.
void EraseEndedKeys(Transaction& transaction, const std::string& organization, const std::vector<IdentifiedApiKey>& keys,
                    absl::Time now);

// Erases what goes of all organizations, at most kApiKeysASweep; how many.
void SweepApiKeys(const Writer& writer, absl::Time now, std::function<void(absl::StatusOr<size_t>)> done);
// Goes on until the writer's executor ends. All outlive that.
void KeepSweepingApiKeys(const Writer& writer, const Clock& clock);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_API_KEY_SWEEP_H_

// Keys by id, emptied of one that changes. A reader that read a row before the change must not put it back after. And
// when keys ended that were ended here, for when the store does not say.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_API_KEY_CACHE_H_
#define KEYFERRY_SERVICES_API_API_KEY_CACHE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libs/crypto/keyed_digest.h"
#include "services/api/api_keys.h"

namespace keyferry {

// The one text that was found to be right for a key, so that it need not be found again; not the text itself.
class VerifiedText {
 public:
  // Does the same work whatever it says.
  bool Is(const KeyedDigest::Bytes& digest) const {
    const bool known = state_.load(std::memory_order_acquire) == kKnown;
    return KeyedDigest::Equal(known ? digest_ : KeyedDigest::Bytes{}, digest) && known;
  }

  void Note(const KeyedDigest::Bytes& digest) {
    State nothing = kNothing;
    if (!state_.compare_exchange_strong(nothing, kWriting)) return;
    digest_ = digest;
    state_.store(kKnown, std::memory_order_release);
  }

 private:
  enum State { kNothing, kWriting, kKnown };
  std::atomic<State> state_ = kNothing;
  KeyedDigest::Bytes digest_{};
};

struct CachedApiKey {
  IdentifiedApiKey key;
  mutable VerifiedText verified;
  // Hours since 1970, as last noted.
  mutable std::atomic<int64_t> used_hour = 0;
};
using SharedApiKey = std::shared_ptr<const CachedApiKey>;

class ApiKeyCache {
 public:
  // Null when absent; also tells when it was asked.
  SharedApiKey Find(std::string_view id, uint64_t& asked) const {
    const absl::MutexLock lock(&mutex_);
    asked = changes_;
    const auto key = keys_.find(std::string(id));
    return key == keys_.end() ? nullptr : key->second;
  }

  void Put(SharedApiKey key, uint64_t asked) {
    const absl::MutexLock lock(&mutex_);
    if (asked != changes_) return;
    if (keys_.size() >= kMaxApiKeysCached) keys_.clear();
    keys_[key->key.id] = std::move(key);
  }

  void Clear() {
    const absl::MutexLock lock(&mutex_);
    ++changes_;
    keys_.clear();
  }

  void Forget(const std::string& id) {
    const absl::MutexLock lock(&mutex_);
    ++changes_;
    keys_.erase(id);
  }

 private:
  mutable absl::Mutex mutex_;
  uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, SharedApiKey> keys_ ABSL_GUARDED_BY(mutex_);
};

class ApiKeyEnds {
 public:
  void Add(const std::string& id, absl::Time end) {
    const absl::MutexLock lock(&mutex_);
    if (ends_.size() >= kMaxApiKeysCached) ends_.clear();
    const auto [known, added] = ends_.try_emplace(id, end);
    if (!added) known->second = std::min(known->second, end);
  }

  // The infinite future where nothing is known.
  absl::Time Of(std::string_view id) const {
    const absl::MutexLock lock(&mutex_);
    const auto known = ends_.find(std::string(id));
    return known == ends_.end() ? absl::InfiniteFuture() : known->second;
  }

 private:
  mutable absl::Mutex mutex_;
  std::unordered_map<std::string, absl::Time> ends_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_API_KEY_CACHE_H_

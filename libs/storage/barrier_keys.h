// The keys behind the barrier: finds, unwraps and remembers the key-encryption key of an owner (an organization, or
// empty for the system rows) and what follows from it.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_STORAGE_BARRIER_KEYS_H_
#define KEYFERRY_STORAGE_BARRIER_KEYS_H_

#include <memory>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/clock.h"
#include "libs/crypto/keyring.h"
#include "libs/storage/barrier.h"
#include "libs/storage/lru_map.h"
#include "libs/storage/row_sealer.h"
#include "libs/storage/store.h"

namespace keyferry {

class BarrierKeys {
 public:
  struct Owner {
    Owner(OrganizationKeys derived, const Clock& clock) : keys(std::move(derived)), sealer(keys.barrier, clock) {}
    const OrganizationKeys keys;
    RowSealer sealer;
  };

  // All outlive it; the store is the one beneath the barrier.
  BarrierKeys(Store& store, const Keyring& keyring, const Clock& clock);

  // NotFound when there is no key row; FailedPrecondition when the keyring lacks its root key; DataLoss when it does
  // not unwrap.
  absl::StatusOr<std::shared_ptr<Owner>> OwnerOf(std::string_view owner);

  // A fresh key under the current root key: the row to write. NotFound when the keyring has no root key.
  absl::StatusOr<Mutation> NewKey(std::string_view owner) const;

 private:
  absl::StatusOr<std::shared_ptr<Owner>> Load(std::string_view owner) const;

  Store& store_;
  const Keyring& keyring_;
  const Clock& clock_;
  absl::Mutex mutex_;
  LruMap<std::shared_ptr<Owner>> owners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_BARRIER_KEYS_H_

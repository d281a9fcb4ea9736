// The keys behind the barrier: finds, unwraps and remembers the keys of an owner (an organization, or empty for the system rows).
//
// Invariant: once a change of an owner's key row is told here (Publish, Forget, Refresh), nobody is given what was there before, also if it was
// being loaded meanwhile. Between a change's commit and its telling OwnerOf may give the older ones: what is sealed under them does not
// get in (B1 in barrier.h).
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_STORAGE_BARRIER_KEYS_H_
#define KEYFERRY_STORAGE_BARRIER_KEYS_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libs/common/clock.h"
#include "libs/crypto/root_keys.h"
#include "libs/storage/barrier.h"
#include "libs/storage/lru_map.h"
#include "libs/storage/row_sealer.h"
#include "libs/storage/store.h"

namespace keyferry {

class BarrierKeys {
 public:
  struct Owner {
    Owner(OrganizationKeys unwrapped, const Clock& clock);
    const OrganizationKeys keys;
    RowSealer sealer;
  };

  // All outlive it; the store is the one beneath the barrier.
  BarrierKeys(Store& store, RootKeys& root_keys, const Clock& clock);

  // NotFound when there is no key row; FailedPrecondition when the keyring lacks its root key; DataLoss when it does
  // not unwrap. Keys of the key row at this revision or a later one.
  absl::StatusOr<std::shared_ptr<Owner>> OwnerOf(std::string_view owner, Revision at_least = 0);
  // What is in memory; null when nothing is. Never blocks.
  std::shared_ptr<Owner> Remembered(std::string_view owner);

  // From here on the owner's keys are these, unless newer ones are known.
  void Publish(std::string_view owner, OrganizationKeys keys);
  void Forget(std::string_view owner);
  // Forgets the owner's keys when the store holds others than those of this revision, and says whether it does. Never unwraps.
  bool Refresh(std::string_view owner, Revision revision);

 private:
  absl::StatusOr<std::shared_ptr<Owner>> Load(std::string_view owner) const;
  // Null: something was told since the ticket was drawn.
  std::shared_ptr<Owner> Remember(std::string_view owner, uint64_t ticket, std::shared_ptr<Owner> loaded);

  Store& store_;
  RootKeys& root_keys_;
  const Clock& clock_;
  absl::Mutex mutex_;
  LruMap<std::shared_ptr<Owner>> owners_ ABSL_GUARDED_BY(mutex_);
  uint64_t told_count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_BARRIER_KEYS_H_

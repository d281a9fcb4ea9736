// The barrier: a Store whose values are sealed with their row key as associated data, so that a thief of the disk or of
// a backup reads row keys and nothing else, and a row that was moved does not open. Empty values (indexes) are stored
// as they are.
//
// Hierarchy: root key (keyring) -> one key-encryption key an organization and one for the system rows, wrapped, in
// Family::kKeys -> by HKDF: barrier, escrow and fingerprint key.
//
// Thread safety: all methods from any thread. Keeps unwrapped keys in memory, at most kMaxOrganizationKeysCached, least
// recently used out.
#ifndef KEYFERRY_STORAGE_BARRIER_H_
#define KEYFERRY_STORAGE_BARRIER_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/crypto/keyring.h"
#include "libs/crypto/secret_bytes.h"
#include "libs/storage/store.h"

namespace keyferry {

inline constexpr size_t kMaxOrganizationKeysCached = 4096;

// What follows from one key-encryption key. Immutable.
struct OrganizationKeys {
  SecretBytes barrier;
  SecretBytes escrow;
  SecretBytes fingerprint;
};

class Barrier {
 public:
  // The store and the keyring outlive the barrier. Creates the system key in an empty store.
  // FailedPrecondition: the keyring is not the one this store was written under.
  static absl::StatusOr<std::unique_ptr<Barrier>> Open(Store& store, const Keyring& keyring, Term term);
  virtual ~Barrier() = default;

  // The sealing view of the store; lives as long as the barrier.
  virtual Store& store() = 0;

  // NotFound when the organization has none. DataLoss when it does not unwrap.
  virtual absl::StatusOr<std::shared_ptr<const OrganizationKeys>> KeysOf(std::string_view organization) = 0;

  // A new organization's key: the mutation to commit with its record. Rows of the organization can be sealed only after
  // that commit; so an organization's own record is a system row.
  virtual absl::StatusOr<Mutation> NewOrganizationKey(std::string_view organization) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_BARRIER_H_

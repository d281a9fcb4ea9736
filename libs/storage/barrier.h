// The barrier: a Store whose values are sealed with their row key as associated data, so that a thief of the disk or of
// a backup reads row keys and nothing else, and a row that was moved does not open. Empty values (indexes) are stored
// as they are.
//
// Hierarchy: root key (RootKeys) -> key-encryption keys of each organization and of the system rows, wrapped, in Family::kKeys, the newest seals ->
// by HKDF of each: barrier and escrow key. The fingerprint key follows from the first one and is handed on wrapped with each newer one, so that a rotation
// changes no fingerprint.
//
// Rotation: AddKey, then Reseal until it is done, then RetireOlderKeys. Each step is a commit of its own; a crash between two loses nothing.
//
// Invariants:
//   B1  Every commit that seals a value pins the revision of its owner's key row. So from AddKey's commit on nothing arrives under an older key, from
//       RetireOlderKeys' commit on nothing needs one, and nothing arrives for an owner whose key row was erased. A commit that was
//       overtaken is sealed again and goes ahead; its caller notices nothing.
//   B2  What OrganizationKeys wrapped inside a value is pinned by its writer: it reads keys::WrappedKey(organization) in the transaction before KeysOf(organization, the
//       revision that it read). A value that is carried over into another row comes from a row that the same commit pins, and goes to one behind
//       it in key order (generation to later generation, generation to deployment): Reseal gives a row whose escrowed keys it wrapped anew a new revision.
//   B3  A row that was read before its key was retired is read again.
//   B4  A commit that keeps a row's revision waits while Reseal works on rows (some ms): their preconditions do not tell one from the other.
// A commit that was overtaken or that waited may stand behind commits that were submitted after it and before its answer.
//
// Erasing keys::WrappedKey(organization) through store() forgets the keys in memory as well; the organization's rows do not open from then on:
// they go first. Placements are the system's rows; deletes that a region has not proved outlive their organization.
//
// Thread safety: all methods from any thread. Keeps unwrapped keys in memory, at most kMaxOrganizationKeysCached, least
// recently used out.
#ifndef KEYFERRY_STORAGE_BARRIER_H_
#define KEYFERRY_STORAGE_BARRIER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/crypto/envelope.h"
#include "libs/crypto/root_keys.h"
#include "libs/crypto/secret_bytes.h"
#include "libs/storage/codec.h"
#include "libs/storage/store.h"

namespace keyferry {

inline constexpr size_t kMaxOrganizationKeysCached = 4096;

// What follows from an owner's key-encryption keys. Immutable.
struct OrganizationKeys {
  struct Derived {
    int number = 1;
    SecretBytes barrier;
    SecretBytes escrow;
  };
  // The newest last: it seals.
  std::vector<Derived> derived;
  SecretBytes fingerprint;
  // Of the row that holds them.
  Revision revision = 0;

  const SecretBytes& escrow() const { return derived.back().escrow; }
  // Escrow's side of a data key, whichever of these keys wrapped it. DataLoss.
  absl::StatusOr<SecretBytes> UnwrapDataKey(const SealContext& context, std::string_view data_key_id, std::string_view wrapped) const;
};

// Where Reseal goes on; as in RotationRow.
struct ResealCursor {
  int family = -1;
  std::string key;
  friend bool operator==(const ResealCursor&, const ResealCursor&) = default;
};

struct ResealStep {
  // nullopt: every row was seen.
  std::optional<ResealCursor> next;
  int64_t visited_count = 0;
  int64_t moved_count = 0;
};

class Barrier {
 public:
  // The store and the root keys outlive the barrier. Creates the system key in an empty store.
  // FailedPrecondition: the root keys are not those this store was written under. Unavailable: the KMS is away.
  static absl::StatusOr<std::unique_ptr<Barrier>> Open(Store& store, RootKeys& root_keys, Term term);
  virtual ~Barrier() = default;

  // The sealing view of the store; lives as long as the barrier.
  virtual Store& store() = 0;

  // NotFound when the organization has none. DataLoss when it does not unwrap. Not older than this revision of their row.
  virtual absl::StatusOr<std::shared_ptr<const OrganizationKeys>> KeysOf(std::string_view organization, Revision at_least = 0) = 0;

  // A new organization's key: the mutation to commit with its record. Rows of the organization can be sealed only after
  // that commit; so an organization's own record is a system row.
  virtual absl::StatusOr<Mutation> NewOrganizationKey(std::string_view organization) = 0;

  // The owner's keys as they are stored, with the row's revision. `owner`: an organization, or empty for the system's rows. NotFound.
  virtual absl::StatusOr<std::pair<WrappedKeysRow, Revision>> StoredKeysOf(std::string_view owner) const = 0;
  // All owners that have keys, in order.
  virtual absl::StatusOr<std::vector<std::string>> Owners() const = 0;
  // A newer key for the owner; rows are sealed under it from the commit on. Gives its number. FailedPrecondition ROTATION_RUNS: it has older keys still.
  virtual absl::StatusOr<int> AddKey(std::string_view owner, Term term) = 0;
  // Looks at up to `limit` rows of the owner and seals those again that its newest key did not seal, with the escrowed data keys in them; each keeps its
  // revision, but for those whose escrowed keys were wrapped anew (B2). Aborted: the owner's keys changed meanwhile; the same step again.
  // DataLoss: a row that does not open is counted nowhere and stops it. Store's errors; then rows may have been moved, and the same step goes on.
  virtual absl::StatusOr<ResealStep> Reseal(std::string_view owner, const ResealCursor& from, size_t limit, Term term) = 0;
  // Destroys all keys but the newest. REQUIRES: Reseal went through every row since the newest was added.
  virtual absl::Status RetireOlderKeys(std::string_view owner, Term term) = 0;
  // Wraps the owner's keys by the current root key; false when they are. The data beneath does not change.
  virtual absl::StatusOr<bool> Rewrap(std::string_view owner, Term term) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_BARRIER_H_

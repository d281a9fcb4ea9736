// SetDraft: the next generation of a set in the making. New values are sealed under one fresh data key; those that stay
// are taken over as they are, sealed, with the data keys that they name. Nothing is ever opened.
//
// Thread safety: confined to one thread.
#ifndef KEYFERRY_SERVICES_API_SET_DRAFT_H_
#define KEYFERRY_SERVICES_API_SET_DRAFT_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/crypto/envelope.h"
#include "libs/model/secret_set.h"
#include "libs/storage/barrier.h"
#include "services/api/secret_values.h"
#include "services/api/transaction.h"

namespace keyferry {

// What values are sealed with; all of it outlives the call.
struct Sealing {
  const std::string& organization_uid;
  const RegionRow& region;
  const OrganizationKeys& keys;
  SealedBoxSender& sender;
};

// Keyed digest of a value, bound to set and key.
std::string Fingerprint(const OrganizationKeys& keys, std::string_view set_uid, std::string_view key,
                        const SecretBytes& value);

// FailedPrecondition REGION_NOT_ENROLLED: the region has no sealing key yet.
absl::Status CheckEnrolled(const std::string& code, const RegionRow& region);

class SetDraft {
 public:
  // Of a set that has no generation yet, or whose next one takes nothing over.
  static SetDraft New(SecretSet set);
  // What `set` becomes; begins with the contents of `generation`, its newest or an older one. DataLoss.
  static absl::StatusOr<SetDraft> After(SecretSet set, const Generation& generation);

  // Adds or overwrites. FailedPrecondition: REGION_NOT_ENROLLED. InvalidArgument: the region's sealing key is unusable.
  absl::Status Put(const std::vector<SecretValue>& values, const Sealing& sealing);
  void Erase(const std::string& key);
  void SetHost(std::string host);

  // INVALID_SECRET_SET_SIZE.
  absl::Status CheckSize() const;

  // The set's and the generation's row and what its region shall hold; forgets the generation that falls out. Gives the
  // set as it is then.
  absl::StatusOr<SecretSet> Write(Transaction& transaction, const std::string& organization_uid,
                                  const std::string& author, absl::Time now) &&;

 private:
  struct Entry {
    SecretSetEntry plain;
    SealedEntry sealed;
  };

  explicit SetDraft(SecretSet set) : set_(std::move(set)) {}
  void DropUnusedKeys();
  // Entries and data keys go with it.
  SealedObject TakeSealedObject(const std::string& organization_uid);

  SecretSet set_;
  // By the key in the set's row.
  std::map<std::string, Entry> entries_;
  std::vector<SealedDataKey> data_keys_;
  std::vector<EscrowedKey> escrowed_keys_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_SET_DRAFT_H_

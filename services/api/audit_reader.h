// AuditReader: chains as they are stored, for those who may read them.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_AUDIT_READER_H_
#define KEYFERRY_SERVICES_API_AUDIT_READER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/crypto/signature.h"
#include "libs/model/audit_record.h"
#include "libs/storage/barrier.h"

namespace keyferry {

struct AuditListing {
  // Empty: the system's chain.
  std::string organization;
  // Leaves out what was recorded before the organization was made: a restored backup may know nothing of one whose name
  // was used before.
  bool own_only = false;
  int page_size = 0;
  std::string page_token;
  int64_t first_number = 0;
};

struct AuditPage {
  std::vector<AuditRecord> records;
  std::string next_page_token;
};

class AuditReader {
 public:
  // All outlive it. Without a key there are no heads.
  AuditReader(Barrier& barrier, const Clock& clock, std::shared_ptr<const SigningKey> key)
      : barrier_(barrier), clock_(clock), key_(std::move(key)) {}

  // In order of number. A chain that does not exist is empty. InvalidArgument INVALID_PAGE_SIZE, INVALID_PAGE_TOKEN. `own_only`: NotFound
  // ORGANIZATION_NOT_FOUND.
  absl::StatusOr<AuditPage> List(const AuditListing& listing) const;
  // The chain's end, signed now. `own_only`: for the organization itself, NotFound ORGANIZATION_NOT_FOUND when it is gone. NotFound
  // AUDIT_CHAIN_EMPTY; Unavailable AUDIT_KEY_MISSING: the keyring has no key for
  // it.
  absl::StatusOr<SignedAuditHead> Head(const std::string& organization, bool own_only = false) const;

 private:
  Barrier& barrier_;
  const Clock& clock_;
  const std::shared_ptr<const SigningKey> key_;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_AUDIT_READER_H_

// SPIFFE ids that count no longer, in memory, kept up to date with the store. The guard refuses their calls; open
// streams ask again when they are told of a change, so that they end within 5 s.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_REVOKED_IDENTITIES_H_
#define KEYFERRY_SERVICES_API_REVOKED_IDENTITIES_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "libs/storage/codec.h"
#include "services/api/transaction.h"

namespace keyferry {

struct NamedRevokedIdentity {
  std::string spiffe_id;
  RevokedIdentityRow row;
};

class RevokedIdentities {
 public:
  // Reads all of them. The store's error.
  static absl::StatusOr<std::unique_ptr<RevokedIdentities>> Create(const Writer& writer, const Clock& clock);
  virtual ~RevokedIdentities() = default;

  virtual bool IsRevoked(std::string_view spiffe_id) const = 0;
  // Into a commit that does more (revoking a provisioner); call Refresh when it is done and before it is answered. One
  // that is revoked stays as it is. The store's error: nothing may be committed then.
  virtual absl::Status RevokeIn(Transaction& transaction, std::string_view spiffe_id, const std::string& author,
                                const std::string& note) const = 0;
  virtual void Revoke(const std::string& spiffe_id, const std::string& author, const std::string& note,
                      std::function<void(absl::StatusOr<NamedRevokedIdentity>)> done) = 0;
  // Takes over what the store has, before it returns; tells of a change as below. The store's error.
  virtual absl::Status Refresh() = 0;
  // In order of id.
  virtual std::vector<NamedRevokedIdentity> List() const = 0;
  // `changed` is called after each change, on the thread that learned of it (of the executor, or of the store); must
  // not block. Ends with the subscription, which may also be dropped inside the call; it must not outlive this.
  [[nodiscard]] virtual std::shared_ptr<void> OnChange(std::function<void()> changed) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_REVOKED_IDENTITIES_H_

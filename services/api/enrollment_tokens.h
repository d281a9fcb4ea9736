// Enrollment tokens: `ke_<id>_<secret><checksum>`, of an API key's form, for one provisioner of one region, once,
// within kEnrollmentTokenLifetime. Stored as an HMAC, like API keys.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_ENROLLMENT_TOKENS_H_
#define KEYFERRY_SERVICES_API_ENROLLMENT_TOKENS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "libs/crypto/keyring.h"
#include "libs/crypto/secret_bytes.h"
#include "services/api/transaction.h"

namespace keyferry {

inline constexpr std::string_view kEnrollmentTokenPrefix = "ke_";
inline constexpr absl::Duration kEnrollmentTokenLifetime = absl::Minutes(10);
inline constexpr size_t kMaxEnrollmentTokensPerRegion = 100;
inline constexpr absl::Duration kEnrollmentTokenSweepInterval = absl::Minutes(5);

struct VerifiedEnrollmentToken {
  std::string id;
  std::string region;
};

struct NewEnrollmentToken {
  std::string id;
  SecretBytes text;
  absl::Time expire_time;
};

class EnrollmentTokens {
 public:
  // All outlive it. The writer's store is the sealing view.
  static std::unique_ptr<EnrollmentTokens> Create(const Writer& writer, const Keyring& keyring, const Clock& clock);
  virtual ~EnrollmentTokens() = default;

  // Unauthenticated, always in the same words and at the same price, for a token that is malformed, unknown, wrong,
  // used, revoked or too old. Does not use it up. For the guard.
  virtual absl::StatusOr<VerifiedEnrollmentToken> Verify(std::string_view text) = 0;

  // NotFound: REGION_NOT_FOUND. ResourceExhausted: TOO_MANY_ENROLLMENT_TOKENS.
  virtual void Make(const std::string& region, const std::string& author,
                    std::function<void(absl::StatusOr<NewEnrollmentToken>)> done) = 0;
  // The same, and who enrolls with it may bring another sealing key than the region's.
  virtual void MakeReplacing(const std::string& region, const std::string& author,
                             std::function<void(absl::StatusOr<NewEnrollmentToken>)> done) = 0;
  // Uses the token up for this provisioner of the region, as part of the commit. Unauthenticated, as Verify, when it
  // counts no longer.
  virtual absl::Status UseIn(Transaction& transaction, std::string_view id, const std::string& region,
                             const std::string& provisioner_id) const = 0;
  // Unused tokens of the region count no longer. REQUIRES: the transaction writes the region's row, so that no token is
  // made meanwhile.
  virtual absl::Status RevokeIn(Transaction& transaction, const std::string& region) const = 0;
  // Erases those whose time is over, used or not; how many.
  virtual void Sweep(std::function<void(absl::StatusOr<size_t>)> done) = 0;
};

// Of a token that was not used yet: whether it is one of MakeReplacing.
absl::StatusOr<bool> ReplacesSealingKey(Transaction& transaction, std::string_view id);

// Sweeps now and then until the writer's executor ends. All outlive that.
void KeepSweepingEnrollmentTokens(const Writer& writer, EnrollmentTokens& tokens);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ENROLLMENT_TOKENS_H_

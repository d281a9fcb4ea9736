// Enrollment: how a provisioner gets its certificates, and a region its sealing keys
// (proto/keyferry/v1/enrollment.proto).
//
// Invariants:
//   N1  A token is used up, a provisioner is made and a sealing key is set in one commit; a certificate leaves only
//   after it. N2  A sealing key is set only for somebody who opened a box that was sealed to it, for exactly this
//   request. The challenge is kept nowhere: it
//       follows from the request, under a key of the system's. A region's key becomes another one only for somebody who
//       opened a box to the present one too, or who enrolls with a token that an operator made for that.
//   N3  An id that was given once is never given again, revoked or not.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_SERVICES_API_ENROLLMENT_H_
#define KEYFERRY_SERVICES_API_ENROLLMENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/api/caller.h"
#include "services/api/enrollment_tokens.h"
#include "services/api/region_authority.h"
#include "services/api/use_case.h"

namespace keyferry {

// Something may be sealed to each of them still. A change beyond is refused.
inline constexpr size_t kMaxPreviousSealingKeys = 8;

struct EnrollmentAsk {
  std::string provisioner_id;
  std::string sealing_key;
  std::string csr;
};

struct SealingKeyChallenge {
  std::string box;
  std::string context;
};

class Enrollment {
 public:
  struct Parts {
    UseCaseDeps deps;
    EnrollmentTokens& tokens;
    RegionAuthority& authority;
    // The provisioner's open streams live on until then. May be empty.
    std::function<void(const std::string& region, const std::string& provisioner_id, absl::Time expiry)>
        certificate_renewed;
    // A provisioner changed the region's sealing key (RegionReseal hears of every change by itself). May be empty.
    std::function<void(const std::string& region)> sealing_key_changed;
  };
  using CertificateDone = std::function<void(absl::StatusOr<ProvisionerCertificate>)>;

  // All of the parts outlives it.
  static std::unique_ptr<Enrollment> Create(Parts parts);
  virtual ~Enrollment() = default;

  // The caller is an enrollee. Errors: enrollment.proto, BeginEnrollment.
  virtual absl::StatusOr<SealingKeyChallenge> Begin(const Caller& caller, const EnrollmentAsk& ask) = 0;
  // `ask` as it was in Begin, `proof` what was in the box.
  virtual void Complete(const Caller& caller, const EnrollmentAsk& ask, const std::string& proof,
                        CertificateDone done) = 0;

  // From here on the caller is a provisioner. PermissionDenied: PROVISIONER_REVOKED. NotFound: PROVISIONER_NOT_FOUND
  // (it did not enroll).
  virtual void Renew(const Caller& caller, const std::string& csr, CertificateDone done) = 0;
  virtual absl::StatusOr<SealingKeyChallenge> BeginSealingKeyChange(const Caller& caller,
                                                                    const std::string& sealing_key) = 0;
  // `proof`: JoinProofs of what was in the two boxes (sealing_key_proof.h). A change to the key that the region has
  // already is done. PermissionDenied: PROVISIONER_REVOKED.
  virtual void CompleteSealingKeyChange(const Caller& caller, const std::string& sealing_key, const std::string& proof,
                                        std::function<void(absl::Status)> done) = 0;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_ENROLLMENT_H_

// CertificateRenewal: keeps the identity's certificate alive. At its renew time it asks for the next one, with a new
// key pair; when that fails, again and again, as long as it takes: an expired certificate renews no more, but an
// operator may enroll into the same directory meanwhile.
//
// Thread safety: Step on one thread; Expiry from any thread.
#ifndef KEYFERRY_SERVICES_PROVISIONER_CERTIFICATE_RENEWAL_H_
#define KEYFERRY_SERVICES_PROVISIONER_CERTIFICATE_RENEWAL_H_

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "libs/common/clock.h"
#include "services/provisioner/enrollment_client.h"
#include "services/provisioner/identity_directory.h"

namespace keyferry {

// Between two looks at the identity, at most: another process may have written it, or somebody set the clock.
inline constexpr absl::Duration kMaxRenewalPause = absl::Minutes(1);
inline constexpr absl::Duration kMinRenewalRetry = absl::Milliseconds(500);
inline constexpr absl::Duration kMaxRenewalRetry = absl::Seconds(30);

class CertificateRenewal {
 public:
  struct Options {
    const IdentityDirectory& identity;
    // Asks the API for a certificate of this request (DER), with the certificate that the directory holds now.
    std::function<absl::StatusOr<IssuedCertificate>(const std::string& csr)> renew;
    const Clock& clock;
  };
  explicit CertificateRenewal(Options options) : options_(std::move(options)) {}

  // Does what is due; answers when to come again.
  absl::Duration Step();
  // Of the present certificate; InfinitePast until the first Step has read it.
  absl::Time Expiry() const;

 private:
  absl::Status Renew(const Identity& present);
  void Note(const Identity& identity);
  absl::Duration PauseAfterFailure();

  const Options options_;
  absl::BitGen random_;
  int failures_ = 0;
  // Monotonic: after a renewal not before that, whatever the clock says.
  absl::Duration not_before_ = -absl::InfiniteDuration();
  mutable absl::Mutex mutex_;
  absl::Time expiry_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_CERTIFICATE_RENEWAL_H_

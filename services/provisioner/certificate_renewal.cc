#include "services/provisioner/certificate_renewal.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "libs/common/backoff.h"
#include "libs/common/log.h"
#include "libs/common/status_macros.h"
#include "libs/crypto/certificate_request.h"
#include "services/provisioner/provisioner_metrics.h"

namespace keyferry {
namespace {

std::string ToText(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

}  // namespace

absl::Duration CertificateRenewal::Step() {
  const auto present = options_.identity.Read();
  if (!present.ok()) {
    Log(Severity::kError, "identity_unreadable", {{"error", present.status()}});
    return PauseAfterFailure();
  }
  Note(*present);
  const absl::Time now = options_.clock.Now();
  if (now < present->renew_time) return std::min(present->renew_time - now, kMaxRenewalPause);
  if (const absl::Duration left = not_before_ - options_.clock.Monotonic(); left > absl::ZeroDuration())
    return std::min(left, kMaxRenewalPause);
  const absl::Status status = Renew(*present);
  CountRenewal(status.ok());
  if (status.ok()) {
    failures_ = 0;
    return std::min(not_before_ - options_.clock.Monotonic(), kMaxRenewalPause);
  }
  const bool expired = now >= present->expire_time;
  Log(expired ? Severity::kError : Severity::kWarning, expired ? "certificate_expired" : "certificate_renewal_failed",
      {{"error", status},
       {"expires", ToText(present->expire_time)},
       {"help",
        expired ? "check the clock; else enroll again: docs/regions.md" : "it is tried again until it succeeds"}});
  return PauseAfterFailure();
}

absl::Time CertificateRenewal::Expiry() const {
  absl::MutexLock lock(&mutex_);
  return expiry_;
}

absl::Status CertificateRenewal::Renew(const Identity& present) {
  ASSIGN_OR_RETURN(const CertificateRequest request, NewCertificateRequest());
  ASSIGN_OR_RETURN(const IssuedCertificate issued, options_.renew(request.csr));
  if (issued.identity.spiffe_id != present.spiffe_id) {
    return absl::FailedPreconditionError(absl::StrCat("the API issued a certificate for ", issued.identity.spiffe_id,
                                                      " to ", present.spiffe_id, "; it is not used"));
  }
  RETURN_IF_ERROR(options_.identity.Write(issued.identity, issued.chain, request.private_key));
  Note(issued.identity);
  Log(Severity::kInfo, "certificate_renewed",
      {{"spiffe_id", issued.identity.spiffe_id},
       {"expires", ToText(issued.identity.expire_time)},
       {"next_renewal", ToText(issued.identity.renew_time)}});
  not_before_ = options_.clock.Monotonic() +
                std::max(kMinRenewalRetry, (issued.identity.expire_time - issued.identity.renew_time) / 4);
  if (options_.clock.Now() >= issued.identity.renew_time) {
    Log(Severity::kError, "certificate_due_at_once",
        {{"spiffe_id", issued.identity.spiffe_id}, {"help", "this machine's clock is ahead of the API's; set it"}});
  }
  return absl::OkStatus();
}

void CertificateRenewal::Note(const Identity& identity) {
  absl::MutexLock lock(&mutex_);
  expiry_ = identity.expire_time;
}

absl::Duration CertificateRenewal::PauseAfterFailure() {
  return std::max(kMinRenewalRetry,
                  BackoffDelay(failures_++, kMinRenewalRetry, kMaxRenewalRetry, absl::Uniform(random_, 0.0, 1.0)));
}

}  // namespace keyferry

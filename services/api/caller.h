// Who calls: the outcome of authentication.
#ifndef KEYFERRY_SERVICES_API_CALLER_H_
#define KEYFERRY_SERVICES_API_CALLER_H_

#include <string>

#include "absl/time/time.h"
#include "libs/storage/codec.h"

namespace keyferry {

// An enrollee holds an enrollment token and nothing else.
enum class CallerKind : uint8_t { kTenant, kOperator, kProvisioner, kEnrollee };

struct Caller {
  CallerKind kind = CallerKind::kTenant;
  // `apiKey:<id>`, `enrollment:<id>` or the SPIFFE id.
  std::string principal;
  // Tenants: their own. Operators: the organization that the request names, which may be empty.
  std::string organization;
  // Tenants.
  Role role = Role::kViewer;
  // Provisioners: from the certificate. Enrollees: the region of the token.
  std::string region;
  std::string provisioner_id;
  absl::Time certificate_expiry = absl::InfiniteFuture();
  // API keys: until when this one counts, unless it is revoked before.
  absl::Time key_expiry = absl::InfiniteFuture();
  // Goes through logs and errors.
  std::string request_id;
};

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_API_CALLER_H_

// Enrolling this machine: a fresh key pair, the API's challenge opened with the region's key, and the certificate in
// the identity directory. What is private never leaves the machine.
//
// Thread safety: all functions from any thread; they block.
#ifndef KEYFERRY_SERVICES_PROVISIONER_ENROLLMENT_H_
#define KEYFERRY_SERVICES_PROVISIONER_ENROLLMENT_H_

#include <string>

#include "absl/status/statusor.h"
#include "libs/common/clock.h"
#include "services/provisioner/identity_directory.h"
#include "services/provisioner/region_keys.h"

namespace keyferry {

struct EnrollmentSettings {
  // The edge door: host:port, or unix:/path.
  std::string edge_api;
  // PEM roots of the API.
  std::string roots;
  std::string provisioner_id;
  // `-`: standard input. Surrounding white space is not part of the token.
  std::string token_file;
};

// Proves the current key; where the region has another, since nobody has announced the current one yet, a previous one.
// What the API refuses keeps its code and reason, and says what to do. Unavailable: it is away. FailedPrecondition: the
// token file, or as IdentityDirectory::Write.
absl::StatusOr<Identity> EnrollInto(const IdentityDirectory& directory, const EnrollmentSettings& settings,
                                    const RegionKeySet& keys);

// What to serve with. Enrolls when the directory is empty, or its certificate has expired, and there is a token file; a
// token that is used up does no harm then where there is an identity. NotFound: neither identity nor token file.
// FailedPrecondition: it is another provisioner's than settings names.
absl::StatusOr<Identity> IdentityAtStart(const IdentityDirectory& directory, const EnrollmentSettings& settings,
                                         const RegionKeySet& keys, const Clock& clock);

}  // namespace keyferry

#endif  // KEYFERRY_SERVICES_PROVISIONER_ENROLLMENT_H_
